"""`mockserver check`: the checks against consumers that are right, and against ones that have a mistake."""
