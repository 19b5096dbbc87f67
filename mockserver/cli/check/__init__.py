"""``mockserver check``."""
