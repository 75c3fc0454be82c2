"""The event log: its reader, its tail, and the subscriptions to it."""
