"""How much a caller may send at once, how long it may take, and the errors of those who exceed a limit."""

from ovasabi.errors import Kind, OvasabiError, such_as

MAX_BODY_BYTES = 8 * 1024 * 1024
PATIENCE_SECONDS = 60
"""How long a client may stop reading before it is disconnected; its subscription was dropped long before."""


class BodyTooLarge(OvasabiError):
    """The body of the request exceeds the size limit."""

    kind = Kind.INVALID
    code = "body_too_large"
    message = "The body exceeds the limit of {limit} bytes."
    example = such_as(limit=8388608)


class ReaderStalled(OvasabiError):
    """The client stopped reading for too long and was disconnected."""

    kind = Kind.EXHAUSTED
    code = "reader_stalled"
    message = "The client did not read for {seconds} seconds."
    hint = "Reconnect and resume from the last cursor that was read."
    example = such_as(seconds="60")


class TargetTooLong(OvasabiError):
    """The path and query of a request exceed the size limit."""

    kind = Kind.INVALID
    code = "target_too_long"
    message = "The path and query of the request exceed {limit} bytes."
    hint = "Shorten the query, for example its filter."
    example = such_as(limit=16384)


class HeadersTooLarge(OvasabiError):
    """The headers of a request exceed the size limit, or are too many."""

    kind = Kind.INVALID
    code = "headers_too_large"
    message = "The request has more than {count} headers, or more than {limit} bytes of them."
    hint = "Send fewer and shorter headers, for example fewer cookies."
    example = such_as(count=100, limit=32768)


class RequestTimedOut(OvasabiError):
    """A request did not arrive completely in time."""

    kind = Kind.INVALID
    code = "request_timed_out"
    message = "The {part} of the request did not arrive within {seconds} seconds."
    hint = "Send the request without interruptions; import a large amount of data in several requests."
    example = such_as(part="body", seconds="60")


class TooManyConnections(OvasabiError):
    """The process has as many HTTP connections as it accepts."""

    kind = Kind.UNAVAILABLE
    code = "too_many_connections"
    message = "The server has {limit} connections and accepts no others at present."
    hint = "Close connections that are not in use, or retry later."
    example = such_as(limit=10000)
