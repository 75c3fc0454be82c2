"""The rule of the tenant scope, over parsed SQL; see docs/decisions/0021."""
