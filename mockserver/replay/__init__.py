"""The clock, the dispatcher that makes deliveries, and the replay of a script with its report."""
