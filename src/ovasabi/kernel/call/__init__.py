"""Who calls, for which campaign, until when; the errors that a call can meet, and its transaction and tenant scope."""
