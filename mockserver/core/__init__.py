"""The core: signing, events, webhooks, scripts, records. It takes values and gives values, and does no I/O."""
