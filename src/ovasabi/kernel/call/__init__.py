"""The context of a call (caller, campaign, deadline), its errors, its transaction and locks, and its tenant scope."""
