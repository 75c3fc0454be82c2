"""What can go wrong with operations."""

from ovasabi.errors import Kind, OvasabiError, such_as


class NotFinished(OvasabiError):
    """An operation that is still to be done, or being done, was to be deleted or downloaded."""

    kind = Kind.PRECONDITION
    code = "operation_not_finished"
    message = "The operation is {state}; that applies to a finished one."
    hint = "Wait until it is finished, or :cancel it."
    example = such_as(state="running")


class TooMany(OvasabiError):
    """The campaign has as many unfinished operations as it may have."""

    kind = Kind.EXHAUSTED
    code = "too_many_operations"
    message = "There are {most} operations that are not finished, and no more are accepted meanwhile."
    hint = "Wait until some are finished, or :cancel them."
    example = such_as(most="100")


class NoOutput(OvasabiError):
    """There is nothing to download from this operation."""

    kind = Kind.PRECONDITION
    code = "operation_without_output"
    message = "The operation {state}, and has no output to download."
    hint = "An export that succeeded has one; what others have to tell is in `result` or `error`."
    example = such_as(state="was cancelled")


class KeyRevoked(OvasabiError):
    """The key that asked for the work was revoked before it was done."""

    kind = Kind.DENIED
    code = "operation_key_revoked"
    message = "The key that asked for this was revoked."
    hint = "Start it again with another key."


class Abandoned(OvasabiError):
    """Each process that took the work on went away before it got any further."""

    kind = Kind.INTERNAL
    code = "operation_abandoned"
    message = "The work was begun {attempts} times, and each time its process ended before it got any further."
    hint = "See the servers' logs with the correlation id; ask for less at a time."
    example = such_as(attempts="5")


class KindUnknown(OvasabiError):
    """This process does not have the method: another program, or another version, accepted the work."""

    kind = Kind.UNAVAILABLE
    code = "operation_kind_unknown"
    message = "No process that took the work on knows {method}."
    hint = "Start a server that has this service."
    example = such_as(method="vouchers_export")
