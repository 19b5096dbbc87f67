"""The edges: what touches the outside world (the vendor API, the control API, the senders, package files)."""
