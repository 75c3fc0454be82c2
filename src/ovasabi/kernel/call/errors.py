"""The kernel's errors, and the mapping of PostgreSQL's errors to them, by SQLSTATE and constraint, never by text."""

from collections.abc import Callable
from typing import Any

import asyncpg

from ovasabi.database.failures import unavailable
from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded, Kind, OvasabiError, such_as
from ovasabi.kernel.call.sqlstates import OwnSqlState


class EntityNotFound(OvasabiError):
    """The entity does not exist in this campaign."""

    kind = Kind.NOT_FOUND
    code = "not_found"
    message = "The {type} {reference} was not found."
    hint = "It may have been deleted, or may belong to another campaign."
    example = such_as(type="content", reference="894287241216001")


class VersionConflict(OvasabiError):
    """The entity has changed since the caller read it."""

    kind = Kind.CONFLICT
    code = "version_conflict"
    message = "The {type} {reference} is at version {version}, not {expected}."
    hint = "Read it again and repeat the change with its current version."
    example = such_as(type="content", reference="894287241216001", version=3, expected=2)


class KeyTaken(OvasabiError):
    """Another entity in the campaign has this natural key."""

    kind = Kind.EXISTS
    code = "already_exists"
    message = "Another {type} already has this {key}."
    hint = "Choose another value, or change the entity that uses it."
    example = such_as(type="content", key="slug", field="slug")


class ReferenceMissing(OvasabiError):
    """A field refers to an entity that does not exist, has been deleted, or belongs to another campaign."""

    kind = Kind.INVALID
    code = "reference_missing"
    message = "The field {name} does not refer to an existing {type}."
    hint = "Use the id of an existing {type} in the same campaign (or on the platform, for global types)."
    example = such_as(name="author_id", type="user", field="author_id")


class KeyReused(OvasabiError):
    """An idempotency key was reused for a different request."""

    kind = Kind.EXISTS
    code = "idempotency_key_reused"
    message = "This Idempotency-Key was already used for a different request."
    hint = "Use a new key for a new request."
    example = such_as(field="Idempotency-Key")


class InvalidValue(OvasabiError):
    """A value is not valid for its field."""

    kind = Kind.INVALID
    code = "invalid_value"
    message = "{problem}"
    example = such_as(problem="page_size must be between 1 and 1000.", field="page_size")


class TooLarge(OvasabiError):
    """A value is larger than what can be indexed or searched."""

    kind = Kind.INVALID
    code = "too_large"
    message = "{problem}"
    hint = "The API reference lists the limits of the fields."
    example = such_as(problem="section must have at most 2600 bytes in UTF-8.", field="section")


class RuleBroken(OvasabiError):
    """A check constraint of the table rejects the new value of a field."""

    kind = Kind.PRECONDITION
    code = "rule_broken"
    message = "This value is not allowed for the {type}'s {name}."
    hint = "The API reference lists the bounds of the field."
    example = such_as(type="variant", name="stock", field="stock")


class Contended(OvasabiError):
    """Concurrent calls kept changing the same rows, and all retries failed."""

    kind = Kind.CONFLICT
    code = "contended"
    message = "Other calls were changing the same rows at the same time."
    hint = "Try again."

    @property
    def transient(self) -> bool:
        """Whether a retry may succeed: unlike other conflicts, this one does not depend on what the caller has read."""
        return True


class AppendOnly(OvasabiError):
    """A statement tried to change the event log."""

    kind = Kind.DENIED
    code = "append_only"
    message = "The event log is append-only."


class LeaseLost(OvasabiError):
    """A former holder wrote after another holder took over its lease."""

    kind = Kind.CONFLICT
    code = "lease_lost"
    message = "The lease for this write is now held by another holder."
    hint = "Acquire the lease again, and check what has changed in the meantime."


class OutOfScope(OvasabiError):
    """The database rejected rows of a campaign outside the scope of the statement."""

    kind = Kind.DENIED
    code = "out_of_scope"
    message = "The rows belong to a campaign outside the scope of this call."


class LogArriving(OvasabiError):
    """The database is a logical copy to which another server still sends events."""

    kind = Kind.UNAVAILABLE
    code = "log_arriving"
    message = "Events still arrive in this database from another server."
    hint = "Wait until all have arrived, stop the other server, and disable or drop the subscription. Then start again."


class NoPartition(OvasabiError):
    """The table has no partition for the row's month."""

    kind = Kind.UNAVAILABLE
    code = "partition_missing"
    message = "The table has no partition for the month of this row."
    hint = "Run `ovasabi migrate`, which creates the partitions ahead of time, and check the server's clock."


class TableMissing(OvasabiError):
    """A statement needs a table that does not exist, or a partition of a table that is not partitioned."""

    kind = Kind.INTERNAL
    code = "table_missing"
    message = "A table that the call needs does not exist, or is not partitioned."
    hint = "Run `ovasabi migrate`. If the error persists, report the correlation id; the server's log has the details."


def from_postgres(error: asyncpg.PostgresError, type_name: str, table_name: str) -> OvasabiError | None:
    """Returns the caller's error for an error of PostgreSQL; None if the error indicates a bug in the platform."""
    sqlstate = error.sqlstate or ""
    convert = SQLSTATES.get(sqlstate) or _CLASSES.get(sqlstate[:2])
    if convert is not None:
        return convert(error, type_name, table_name)
    reason = unavailable(error)
    return None if reason is None else DatabaseUnavailable(reason=reason)


def _check(error: asyncpg.PostgresError, type_name: str, table_name: str) -> OvasabiError:
    if not error.constraint_name:
        return NoPartition()
    return _rule(error.constraint_name.removeprefix(f"{table_name}_").removesuffix("_check"), type_name)


def _rule(name: str, type_name: str) -> RuleBroken:
    return RuleBroken(field=name, type=type_name, name=name)


def _too_large(*_: Any) -> TooLarge:
    return TooLarge(problem="A value is too large to be stored and indexed.")


def _range(*_: Any) -> InvalidValue:
    return InvalidValue(problem="A value is outside the range that the database accepts.")


SQLSTATES: dict[str, Callable[[asyncpg.PostgresError, str, str], OvasabiError]] = {
    OwnSqlState.APPEND_ONLY: lambda *_: AppendOnly(),
    OwnSqlState.LEASE_LOST: lambda *_: LeaseLost(),
    OwnSqlState.OUT_OF_SCOPE: lambda *_: OutOfScope(),
    OwnSqlState.NO_PARTITIONS: lambda *_: TableMissing(),
    OwnSqlState.LOG_ARRIVING: lambda *_: LogArriving(),
    "22000": _range,  # data exception; also values that the driver cannot encode
    "22001": _range,  # string data right truncation
    "22003": _range,  # numeric value out of range
    "22007": _range,  # invalid datetime format
    "22008": _range,  # datetime field overflow
    "22009": _range,  # time zone displacement out of range
    "22021": _range,  # character not in repertoire
    "22P02": _range,  # invalid text representation
    "22P05": _range,  # untranslatable character
    "54000": _too_large,  # program limit exceeded: text too long for an index or a search vector
    "23502": lambda error, type_name, _: _rule(error.column_name or "value", type_name),
    "23503": lambda *_: ReferenceMissing(name="id", type="referenced entity"),
    "23505": lambda *_: Contended(),
    "23514": _check,
    "40001": lambda *_: Contended(),  # serialization failure, after all retries
    "40P01": lambda *_: Contended(),  # deadlock
    "42P01": lambda *_: TableMissing(),
    "55P03": lambda *_: Contended(),  # lock not available in time
    "57014": lambda *_: DeadlineExceeded(),
}
"""The error that a caller gets for each SQLSTATE that our statements and functions can raise. PostgreSQL's own 42501 is
not among them: a missing GRANT is an internal error, which is logged."""

_CLASSES: dict[str, Callable[[asyncpg.PostgresError, str, str], OvasabiError]] = {
    "22": _range,  # data exception
    "54": _too_large,  # program limit exceeded
}
"""The error for the other SQLSTATEs of a class, which the SQL of a service may raise."""
