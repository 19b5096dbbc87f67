"""The words that all parts speak: events, webhooks, deliveries, messages, targets, settings and signing. No I/O."""
