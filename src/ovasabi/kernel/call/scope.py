"""The tenant scope of a statement, as a value; `ovasabi.database.sql` inserts it into statements."""


def scope_of(*campaigns: int) -> str:
    """Returns the tenant scope as PostgreSQL's array literal, such as `{1,2}`."""
    return "{" + ",".join(str(campaign) for campaign in sorted(set(campaigns))) + "}"
