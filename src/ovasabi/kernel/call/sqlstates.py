"""The SQLSTATEs of our own: with which our functions and policies refuse, and nobody else. The one list of them."""

from enum import StrEnum


class OwnSqlState(StrEnum):
    """A refusal of the database that is ours. PostgreSQL has no class OV: none of its own errors looks like one."""

    APPEND_ONLY = "OV001"
    """The event log is changed."""
    LEASE_LOST = "OV002"
    """A write carries the token of a lease that somebody else holds now."""
    OUT_OF_SCOPE = "OV003"
    """A row, or the campaign that a function is asked for, is outside the scope of the statement."""
    NO_PARTITIONS = "OV004"
    """A partition is asked for of a table that has none."""
