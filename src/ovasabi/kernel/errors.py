"""The kernel's errors, and what PostgreSQL's errors mean: recognised by SQLSTATE and constraint, never by text."""

import asyncpg

from ovasabi.errors import Kind, OvasabiError


class EntityNotFound(OvasabiError):
    """No such entity in this campaign."""

    kind = Kind.NOT_FOUND
    code = "not_found"
    message = "There is no {type} {reference} here."
    hint = "It may be deleted, or belong to another campaign."


class VersionConflict(OvasabiError):
    """The entity was changed since the caller read it."""

    kind = Kind.CONFLICT
    code = "version_conflict"
    message = "The {type} {reference} is at version {version}, not {expected}."
    hint = "Read it again and repeat the change with its present version."


class KeyTaken(OvasabiError):
    """Another entity of the campaign holds this natural key."""

    kind = Kind.CONFLICT
    code = "already_exists"
    message = "Another {type} has this {key} already."
    hint = "Choose another value, or change the entity that has it."


class ReferenceMissing(OvasabiError):
    """A field refers to an entity that is not there, is deleted, or belongs to another campaign."""

    kind = Kind.INVALID
    code = "reference_missing"
    message = "The field {name} refers to a {type} that is not there."
    hint = "Give the id of an existing {type} of the same campaign (or of the platform, for global types)."


class KeyReused(OvasabiError):
    """An idempotency key came again with another request."""

    kind = Kind.CONFLICT
    code = "idempotency_key_reused"
    message = "This Idempotency-Key was used for another request."
    hint = "Use a new key for a new request."


class InvalidValue(OvasabiError):
    """A value is not what the field takes."""

    kind = Kind.INVALID
    code = "invalid_value"
    message = "{problem}"


class RuleBroken(OvasabiError):
    """A check of the table refuses the value that a field would get."""

    kind = Kind.PRECONDITION
    code = "rule_broken"
    message = "The {type}'s {name} may not take this value."
    hint = "See the field's bounds in the API's documentation."


class Contended(OvasabiError):
    """Others changed the same rows at the same time, more often than it is worth trying."""

    kind = Kind.CONFLICT
    code = "contended"
    message = "Others were changing the same rows at the same time."
    hint = "Try again."


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


def from_postgres(error: asyncpg.PostgresError, type_name: str, table_name: str) -> OvasabiError | None:
    """What an error of PostgreSQL means for a caller; None if it should not happen and is ours to mend."""
    constraint = error.constraint_name or ""
    match error.sqlstate:
        case "OV001":
            return AppendOnly()
        case "OV002":
            return LeaseLost()
        case "42501":
            return OutOfScope()
        case "23514" if not constraint:
            return NoPartition()
        case "23514":
            name = constraint.removeprefix(f"{table_name}_").removesuffix("_check")
            return RuleBroken(field=name, type=type_name, name=name)
        case "23503":
            return ReferenceMissing(name="id", type="referenced entity")
        case "23505" | "55P03":
            return Contended()
        case "22000" | "22003" | "22021" | "22P05" | "22001" | "22007" | "22008" | "22P02" | "54000":
            return InvalidValue(problem="A value is out of the range that the database takes.")
    return None
