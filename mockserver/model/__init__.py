"""The values that every part shares: events, webhooks, deliveries, messages, targets, settings and signing. No I/O."""
