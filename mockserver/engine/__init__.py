"""The engine: the clock, the dispatcher that makes deliveries, and the replay of a script."""
