"""Tests of the command line: the real command, in processes of its own."""
