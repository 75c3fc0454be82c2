"""Errors of operations."""

from ovasabi.errors import Kind, OvasabiError, such_as


class NotFinished(OvasabiError):
    """An operation can be deleted or downloaded only after it has finished."""

    kind = Kind.PRECONDITION
    code = "operation_not_finished"
    message = "The operation has not finished: it is {state}."
    hint = "Wait until it has finished, or :cancel it."
    example = such_as(state="running")


class TooMany(OvasabiError):
    """The campaign has reached its limit of unfinished operations."""

    kind = Kind.EXHAUSTED
    code = "too_many_operations"
    message = "There are already {most} unfinished operations, which is the limit."
    hint = "Wait until some have finished, or :cancel them."
    example = such_as(most="100")


class NoOutput(OvasabiError):
    """The operation has no output to download."""

    kind = Kind.PRECONDITION
    code = "operation_without_output"
    message = "The operation {state} and has no output to download."
    hint = "Only a successful export has output; for other operations, see `result` or `error`."
    example = such_as(state="was cancelled")


class KeyRevoked(OvasabiError):
    """The API key that started the operation was revoked, or expired, before the work was done."""

    kind = Kind.DENIED
    code = "operation_key_revoked"
    message = "The API key that started this operation was revoked or has expired."
    hint = "Start the operation again with another key."


class Abandoned(OvasabiError):
    """Every process that picked up the operation ended before making progress."""

    kind = Kind.INTERNAL
    code = "operation_abandoned"
    message = "The operation was attempted {attempts} times, and each time its process ended before making progress."
    hint = "Look for the correlation id in the server logs, or split the work into smaller requests."
    example = such_as(attempts="5")


class KindUnknown(OvasabiError):
    """The process does not have the method: the operation was accepted by another program or version."""

    kind = Kind.UNAVAILABLE
    code = "operation_kind_unknown"
    message = "No running process provides the method {method}."
    hint = "Start a server that runs this service."
    example = such_as(method="vouchers_export")
