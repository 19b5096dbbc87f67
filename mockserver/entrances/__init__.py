"""The entrances: the command line, the Python API and the pytest plugin."""
