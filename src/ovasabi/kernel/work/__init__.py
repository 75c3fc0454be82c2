"""Long operations: what a long method reports, how it is started and resumed."""
