"""What calls of the vendor API make: runs, evaluations, optimizations, agents and the rest, field by field."""
