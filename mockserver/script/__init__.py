"""Scripts: the YAML files that say which events happen, when, and with which data."""
