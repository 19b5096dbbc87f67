"""``mockserver replay``."""
