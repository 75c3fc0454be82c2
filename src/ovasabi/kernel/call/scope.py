"""The tenant scope of a statement, as a value; how it gets into the statement is in `ovasabi.database.sql`."""


def scope_of(*campaigns: int) -> str:
    """The tenant scope as PostgreSQL reads it, such as `{1,2}`."""
    return "{" + ",".join(str(campaign) for campaign in sorted(set(campaigns))) + "}"
