"""How much a caller may send at once, and how long one may take to read: at every door alike."""

from ovasabi.errors import Kind, OvasabiError, such_as

MAX_BODY_BYTES = 8 * 1024 * 1024
PATIENCE_SECONDS = 60
"""After so long a client that takes nothing is given up; its watch was dropped long before, with its place."""


class BodyTooLarge(OvasabiError):
    """The body of a request is larger than any may be."""

    kind = Kind.INVALID
    code = "body_too_large"
    message = "A body may have {limit} bytes at most."
    example = such_as(limit=8388608)


class ReaderStalled(OvasabiError):
    """A listener took nothing for so long that it is given up."""

    kind = Kind.EXHAUSTED
    code = "reader_stalled"
    message = "Nothing was read for {seconds} seconds."
    hint = "Connect again, from the last cursor that was read."
    example = such_as(seconds="60")
