"""The HTTP status, gRPC code and title of each kind of error, and whether to retry."""

from enum import IntEnum

import msgspec

from ovasabi.errors import Kind, OvasabiError

RETRY_SECONDS = 1
"""How long a caller should wait before retrying what the platform could not handle at the moment."""


class Grpc(IntEnum):
    """The canonical codes of `google.rpc.Code`, repeated here so that serving only HTTP does not load gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class StatusCodes(msgspec.Struct, frozen=True):
    """How a kind of error is represented in each protocol."""

    http: int
    grpc: Grpc
    title: str


STATUS_CODES = {
    Kind.INVALID: StatusCodes(400, Grpc.INVALID_ARGUMENT, "The request is not valid"),
    Kind.UNAUTHENTICATED: StatusCodes(401, Grpc.UNAUTHENTICATED, "Authentication required"),
    Kind.DENIED: StatusCodes(403, Grpc.PERMISSION_DENIED, "Not allowed"),
    Kind.NOT_FOUND: StatusCodes(404, Grpc.NOT_FOUND, "Not found"),
    Kind.CONFLICT: StatusCodes(409, Grpc.ABORTED, "Conflict"),
    Kind.EXISTS: StatusCodes(409, Grpc.ALREADY_EXISTS, "Already exists"),
    Kind.PRECONDITION: StatusCodes(409, Grpc.FAILED_PRECONDITION, "Not possible in the current state"),
    Kind.EXHAUSTED: StatusCodes(429, Grpc.RESOURCE_EXHAUSTED, "Limit exceeded"),
    Kind.INTERNAL: StatusCodes(500, Grpc.INTERNAL, "Internal error"),
    Kind.UNAVAILABLE: StatusCodes(503, Grpc.UNAVAILABLE, "Unavailable"),
    Kind.DEADLINE: StatusCodes(504, Grpc.DEADLINE_EXCEEDED, "Deadline exceeded"),
}

# The errors for which there are more specific statuses, titles and codes than those of the kind.
HTTP_OF_CODE = {"body_too_large": 413, "target_too_long": 414, "headers_too_large": 431, "request_timed_out": 408}
TITLE_OF_CODE = {"idempotency_key_reused": "Idempotency-Key already used"}
GRPC_OF_CODE = {"no_route": Grpc.UNIMPLEMENTED, "body_too_large": Grpc.RESOURCE_EXHAUSTED}


def http_status(error: OvasabiError | type[OvasabiError]) -> int:
    """Returns the HTTP status of an error, regardless of the request."""
    return HTTP_OF_CODE.get(error.code, STATUS_CODES[error.kind].http)


def grpc_code(error: OvasabiError | type[OvasabiError]) -> Grpc:
    """Returns the canonical gRPC code of an error."""
    return GRPC_OF_CODE.get(error.code, STATUS_CODES[error.kind].grpc)


def title_of(error: OvasabiError | type[OvasabiError]) -> str:
    """Returns the title of an error, which is that of its kind unless that would mislead."""
    return TITLE_OF_CODE.get(error.code, STATUS_CODES[error.kind].title)


def retry_after(error: OvasabiError) -> int | None:
    """Returns after how many seconds to retry; None if retrying does not help, or a longer deadline is needed."""
    return RETRY_SECONDS if error.kind.transient and error.kind is not Kind.DEADLINE else None


def kind_of(code: int) -> Kind:
    """Returns the kind of error that a canonical gRPC code stands for, whichever server sent it."""
    kinds = {status.grpc: kind for kind, status in STATUS_CODES.items()}
    others = {Grpc.OUT_OF_RANGE: Kind.INVALID, Grpc.UNIMPLEMENTED: Kind.NOT_FOUND, Grpc.CANCELLED: Kind.UNAVAILABLE}
    return (kinds | others).get(Grpc(code) if code in set(Grpc) else Grpc.UNKNOWN, Kind.INTERNAL)


def urn(error: OvasabiError | type[OvasabiError]) -> str:
    """Returns the URN of an error, the `type` of RFC 9457."""
    return f"urn:ovasabi:error:{error.code}"
