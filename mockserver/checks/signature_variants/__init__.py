"""Wrong variants of a signature, each a usual mistake of consumers."""
