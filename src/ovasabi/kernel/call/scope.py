"""The tenant scope inside a statement: set by the statement for itself alone, before it reads anything."""

# The lateral reference to scope.s keeps the planner from reading a table before the scope is set.
SCOPED = (
    "FROM (SELECT set_config('ovasabi.campaigns', $1, true) AS s OFFSET 0) AS scope,\nLATERAL ({body}\n  OFFSET 0) AS x"
)
SEEN = "scope.s IS NOT NULL"

SCOPE = "WITH scope AS MATERIALIZED (SELECT set_config('ovasabi.campaigns', $1, true) AS s)"
# A condition without a column is checked once, before anything is read: no order of joins can look at a row sooner.
SCOPE_FIRST = "(SELECT scope.s FROM scope) IS NOT NULL"


def scope_of(*campaigns: int) -> str:
    """The tenant scope as PostgreSQL reads it, such as `{1,2}`."""
    return "{" + ",".join(str(campaign) for campaign in sorted(set(campaigns))) + "}"
