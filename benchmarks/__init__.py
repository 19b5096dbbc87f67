"""Benchmarks: ratios measured in one run, each against a named peer on the same work (``python -m benchmarks``)."""
