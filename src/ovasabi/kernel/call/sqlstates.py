"""The SQLSTATEs that only our own functions and policies raise. This is the only list of them."""

from enum import StrEnum


class OwnSqlState(StrEnum):
    """Errors raised by our own SQL. PostgreSQL has no class OV, so none of its own errors can be confused with them."""

    APPEND_ONLY = "OV001"
    """A statement tried to change the event log."""
    LEASE_LOST = "OV002"
    """A write carries the token of a lease that another holder has taken over."""
    OUT_OF_SCOPE = "OV003"
    """A row, or the campaign passed to a function, is outside the scope of the statement."""
    NO_PARTITIONS = "OV004"
    """A partition was requested for a table that is not partitioned."""
    LOG_ARRIVING = "OV005"
    """The event log needs a new epoch, but events still arrive from another server."""
