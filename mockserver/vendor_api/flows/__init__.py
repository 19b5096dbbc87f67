"""Flows: what the vendor does after a call of the application, until the end of what the call has made."""
