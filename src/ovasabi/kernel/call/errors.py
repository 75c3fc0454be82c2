"""The kernel's errors, and what PostgreSQL's errors mean: recognised by SQLSTATE and constraint, never by text."""

from collections.abc import Callable
from typing import Any

import asyncpg

from ovasabi.errors import DeadlineExceeded, Kind, OvasabiError, such_as
from ovasabi.kernel.call.sqlstates import OwnSqlState


class EntityNotFound(OvasabiError):
    """No such entity in this campaign."""

    kind = Kind.NOT_FOUND
    code = "not_found"
    message = "There is no {type} {reference} here."
    hint = "It may be deleted, or belong to another campaign."
    example = such_as(type="content", reference="894287241216001")


class VersionConflict(OvasabiError):
    """The entity was changed since the caller read it."""

    kind = Kind.CONFLICT
    code = "version_conflict"
    message = "The {type} {reference} is at version {version}, not {expected}."
    hint = "Read it again and repeat the change with its present version."
    example = such_as(type="content", reference="894287241216001", version=3, expected=2)


class KeyTaken(OvasabiError):
    """Another entity of the campaign holds this natural key."""

    kind = Kind.EXISTS
    code = "already_exists"
    message = "Another {type} has this {key} already."
    hint = "Choose another value, or change the entity that has it."
    example = such_as(type="content", key="slug", field="slug")


class ReferenceMissing(OvasabiError):
    """A field refers to an entity that is not there, is deleted, or belongs to another campaign."""

    kind = Kind.INVALID
    code = "reference_missing"
    message = "The field {name} refers to a {type} that is not there."
    hint = "Give the id of an existing {type} of the same campaign (or of the platform, for global types)."
    example = such_as(name="author_id", type="user", field="author_id")


class KeyReused(OvasabiError):
    """An idempotency key came again with another request."""

    kind = Kind.EXISTS
    code = "idempotency_key_reused"
    message = "This Idempotency-Key was used for another request."
    hint = "Use a new key for a new request."
    example = such_as(field="Idempotency-Key")


class InvalidValue(OvasabiError):
    """A value is not what the field takes."""

    kind = Kind.INVALID
    code = "invalid_value"
    message = "{problem}"
    example = such_as(problem="page_size must be from 1 to 1000.", field="page_size")


class RuleBroken(OvasabiError):
    """A check of the table refuses the value that a field would get."""

    kind = Kind.PRECONDITION
    code = "rule_broken"
    message = "The {type}'s {name} may not take this value."
    hint = "See the field's bounds in the API's documentation."
    example = such_as(type="variant", name="stock", field="stock")


class Contended(OvasabiError):
    """Others changed the same rows at the same time, more often than it is worth trying."""

    kind = Kind.CONFLICT
    code = "contended"
    message = "Others were changing the same rows at the same time."
    hint = "Try again."

    @property
    def transient(self) -> bool:
        """Unlike in other conflicts, the call itself rests on nothing that has changed."""
        return True


class AppendOnly(OvasabiError):
    """Something tried to change the event log."""

    kind = Kind.DENIED
    code = "append_only"
    message = "The event log is append-only."


class LeaseLost(OvasabiError):
    """A holder wrote after its lease was taken over."""

    kind = Kind.CONFLICT
    code = "lease_lost"
    message = "The lease under which this write was made is held by somebody else now."
    hint = "Acquire it again, and look at what was done meanwhile."


class OutOfScope(OvasabiError):
    """The database refused rows of a campaign outside the scope of the statement."""

    kind = Kind.DENIED
    code = "out_of_scope"
    message = "The rows belong to a campaign outside the scope of the call."


class NoPartition(OvasabiError):
    """There is no partition for the row's month."""

    kind = Kind.UNAVAILABLE
    code = "partition_missing"
    message = "There is no partition for the month of this row."
    hint = "Run `ovasabi migrate`, which makes the months ahead, and see that the clock of the server is right."


class TableMissing(OvasabiError):
    """A statement needs a table that is not there, or is to partition one that has no partitions."""

    kind = Kind.INTERNAL
    code = "table_missing"
    message = "The database lacks a table, or its partitions, that the call needs."
    hint = "Run `ovasabi migrate`. If it goes on, report it with the correlation id; the server's log has the details."


def from_postgres(error: asyncpg.PostgresError, type_name: str, table_name: str) -> OvasabiError | None:
    """What an error of PostgreSQL means for a caller; None if it should not happen and is ours to mend."""
    meaning = SQLSTATES.get(error.sqlstate or "")
    return meaning(error, type_name, table_name) if meaning is not None else None


def _check(error: asyncpg.PostgresError, type_name: str, table_name: str) -> OvasabiError:
    if not error.constraint_name:
        return NoPartition()
    return _rule(error.constraint_name.removeprefix(f"{table_name}_").removesuffix("_check"), type_name)


def _rule(name: str, type_name: str) -> RuleBroken:
    return RuleBroken(field=name, type=type_name, name=name)


def _range(*_: Any) -> InvalidValue:
    return InvalidValue(problem="A value is out of the range that the database takes.")


SQLSTATES: dict[str, Callable[[asyncpg.PostgresError, str, str], OvasabiError]] = {
    OwnSqlState.APPEND_ONLY: lambda *_: AppendOnly(),
    OwnSqlState.LEASE_LOST: lambda *_: LeaseLost(),
    OwnSqlState.OUT_OF_SCOPE: lambda *_: OutOfScope(),
    OwnSqlState.NO_PARTITIONS: lambda *_: TableMissing(),
    "22000": _range,  # data exception; also what the driver cannot encode
    "22001": _range,  # string data right truncation
    "22003": _range,  # numeric value out of range
    "22007": _range,  # invalid datetime format
    "22008": _range,  # datetime field overflow
    "22009": _range,  # time zone displacement out of range
    "22021": _range,  # character not in repertoire
    "22P02": _range,  # invalid text representation
    "22P05": _range,  # untranslatable character
    "54000": _range,  # program limit exceeded: more text than an index or a search vector holds
    "23502": lambda error, type_name, _: _rule(error.column_name or "value", type_name),
    "23503": lambda *_: ReferenceMissing(name="id", type="referenced entity"),
    "23505": lambda *_: Contended(),
    "23514": _check,
    "40001": lambda *_: Contended(),  # serialization failure, more often than it is tried again
    "40P01": lambda *_: Contended(),  # deadlock
    "42P01": lambda *_: TableMissing(),
    "55P03": lambda *_: Contended(),  # lock not available in time
    "57014": lambda *_: DeadlineExceeded(),
}
"""What a caller is told of each SQLSTATE that our statements and functions provoke. PostgreSQL's own 42501 is not among
them: that a GRANT is missing is a fault of ours, to be logged."""
