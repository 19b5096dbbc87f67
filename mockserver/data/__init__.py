"""Data files that the package ships: one JSON file for each event type."""
