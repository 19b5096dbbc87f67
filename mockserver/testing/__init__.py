"""The mock in test suites: ``MockServer`` and the pytest plugin."""
