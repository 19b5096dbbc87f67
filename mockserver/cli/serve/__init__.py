"""``mockserver serve``."""
