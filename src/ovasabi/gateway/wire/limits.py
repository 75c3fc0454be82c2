"""Limits that hold in every protocol: how much a caller may send at once, and how long a client may stop reading."""

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
