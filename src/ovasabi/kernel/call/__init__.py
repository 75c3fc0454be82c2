"""The context of a call (caller, campaign, deadline), the errors it can raise, its transaction and its tenant scope."""
