"""What each kind of error is at the doors: its HTTP status, its gRPC code, its title, and whether to try again."""

from enum import IntEnum

import msgspec

from ovasabi.errors import Kind, OvasabiError

RETRY_SECONDS = 1
"""When a caller may try again what the platform could not take just now."""


class Grpc(IntEnum):
    """The canonical codes of `google.rpc.Code`; here by themselves, so that HTTP alone loads nothing of gRPC."""

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
    """How a kind of error is told."""

    http: int
    grpc: Grpc
    title: str


STATUS_CODES = {
    Kind.INVALID: StatusCodes(400, Grpc.INVALID_ARGUMENT, "The request is not valid"),
    Kind.UNAUTHENTICATED: StatusCodes(401, Grpc.UNAUTHENTICATED, "Authentication is needed"),
    Kind.DENIED: StatusCodes(403, Grpc.PERMISSION_DENIED, "Not allowed"),
    Kind.NOT_FOUND: StatusCodes(404, Grpc.NOT_FOUND, "Not found"),
    Kind.CONFLICT: StatusCodes(409, Grpc.ABORTED, "Conflict"),
    Kind.EXISTS: StatusCodes(409, Grpc.ALREADY_EXISTS, "Exists already"),
    Kind.PRECONDITION: StatusCodes(409, Grpc.FAILED_PRECONDITION, "Not possible in this state"),
    Kind.EXHAUSTED: StatusCodes(429, Grpc.RESOURCE_EXHAUSTED, "Too much"),
    Kind.INTERNAL: StatusCodes(500, Grpc.INTERNAL, "Internal error"),
    Kind.UNAVAILABLE: StatusCodes(503, Grpc.UNAVAILABLE, "Unavailable"),
    Kind.DEADLINE: StatusCodes(504, Grpc.DEADLINE_EXCEEDED, "Out of time"),
}

# The gateway's own errors, of which the protocols themselves say more than their kind does.
HTTP_OF_CODE = {"body_too_large": 413}
GRPC_OF_CODE = {"no_route": Grpc.UNIMPLEMENTED, "body_too_large": Grpc.RESOURCE_EXHAUSTED}


def http_status(error: OvasabiError | type[OvasabiError]) -> int:
    """The status of an error over HTTP, whatever the request was."""
    return HTTP_OF_CODE.get(error.code, STATUS_CODES[error.kind].http)


def grpc_code(error: OvasabiError | type[OvasabiError]) -> Grpc:
    """The canonical code of an error over gRPC."""
    return GRPC_OF_CODE.get(error.code, STATUS_CODES[error.kind].grpc)


def retry_after(error: OvasabiError) -> int | None:
    """After how many seconds a caller may try again; none where that does not help, or more time is what it needs."""
    return RETRY_SECONDS if error.kind.transient and error.kind is not Kind.DEADLINE else None


def kind_of(code: int) -> Kind:
    """The kind that a canonical code tells of, whoever gave it."""
    kinds = {door.grpc: kind for kind, door in STATUS_CODES.items()}
    others = {Grpc.OUT_OF_RANGE: Kind.INVALID, Grpc.UNIMPLEMENTED: Kind.NOT_FOUND, Grpc.CANCELLED: Kind.UNAVAILABLE}
    return (kinds | others).get(Grpc(code) if code in set(Grpc) else Grpc.UNKNOWN, Kind.INTERNAL)


def urn(error: OvasabiError | type[OvasabiError]) -> str:
    """The name of an error among all names: the `type` of RFC 9457."""
    return f"urn:ovasabi:error:{error.code}"
