"""Errors over gRPC: converts them to `google.rpc.Status` with details, and back for calls between processes."""

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status

from ovasabi.errors import DeadlineExceeded, Kind, OvasabiError, such_as
from ovasabi.gateway.error_registry import class_of
from ovasabi.gateway.exception_mapping import public_error
from ovasabi.gateway.status_codes import Grpc, grpc_code, kind_of, retry_after, urn

DOMAIN = "ovasabi"
# A status is sent in the trailing headers, which clients limit to 8 KiB; parts of it appear twice and in base64.
MAX_TEXT_BYTES, MAX_VALUE_BYTES, MAX_VALUES = 512, 256, 8

M = TypeVar("M", bound=Message)
E = TypeVar("E", bound=OvasabiError)


class RemoteError(OvasabiError):
    """Another process reported an error for which this process has no class; its code and kind are passed on."""

    code = "remote_error"
    message = "{problem}"
    example = such_as(problem="The voucher has already been used.", hint="Use another voucher.")

    def with_code(self, code: str, kind: Kind) -> "RemoteError":
        """Sets the code and kind that the other process reported; returns the error."""
        self.code, self.kind = code, kind
        return self


def status_of(error: Exception, call: str, correlation_id: str | None) -> Status:
    """Returns the status to report for any exception; logs internal errors with `call`, the name of what was called."""
    public = public_error(error, call)
    status = Status(code=grpc_code(public), message=_truncated(str(public), MAX_TEXT_BYTES))
    for detail in _details(public, correlation_id):
        status.details.add().Pack(detail)
    return status


def error_of(status: Status) -> OvasabiError:
    """Returns the error that a status reports, as the same class if it is loaded, so that `except KeyTaken` works."""
    info = _detail(status, ErrorInfo)
    if info is None or info.domain != DOMAIN:
        return DeadlineExceeded() if status.code == Grpc.DEADLINE_EXCEEDED else _foreign(status)
    values: dict[str, Any] = dict(info.metadata)
    code, kind = values.pop("code", info.reason.lower()), values.pop("kind", None)
    cls = class_of(code)
    if cls is None:
        remote = _received(RemoteError, status, values)
        return remote.with_code(code, Kind(kind) if kind in set(Kind) else kind_of(status.code))
    return _received(cls, status, values)


def _details(error: OvasabiError, correlation_id: str | None) -> list[Message]:
    details: list[Message] = [ErrorInfo(reason=error.code.upper(), domain=DOMAIN, metadata=_metadata(error))]
    if error.field:
        violation = BadRequest.FieldViolation(
            field=_truncated(error.field, MAX_VALUE_BYTES),
            description=_truncated(str(error), MAX_TEXT_BYTES),
            reason=error.code.upper(),
        )
        details.append(BadRequest(field_violations=[violation]))
    if error.hint:
        details.append(Help(links=[Help.Link(description=_truncated(error.hint, MAX_TEXT_BYTES), url=urn(error))]))
    if correlation_id:
        details.append(RequestInfo(request_id=correlation_id))
    if (seconds := retry_after(error)) is not None:
        details.append(RetryInfo(retry_delay=Duration(seconds=seconds)))
    return details


def _metadata(error: OvasabiError) -> dict[str, str]:
    """Returns only the values that the sentence and the hint already show, and the error's code and kind."""
    shown = set(error.values) if isinstance(error, RemoteError) else type(error).placeholders()
    values = {name: _truncated(str(error.values[name]), MAX_VALUE_BYTES) for name in sorted(shown & set(error.values))}
    return dict(list(values.items())[:MAX_VALUES]) | {"code": error.code, "kind": error.kind.value}


def _foreign(status: Status) -> RemoteError:
    """Returns the error for a status of another server, or of gRPC itself."""
    return _received(RemoteError, status, {}).with_code(RemoteError.code, kind_of(status.code))


def _received(cls: type[E], status: Status, values: Mapping[str, Any]) -> E:
    violations, help = _detail(status, BadRequest), _detail(status, Help)
    field = violations.field_violations[0].field if violations and violations.field_violations else None
    hint = help.links[0].description if help and help.links else None
    return cls.received(status.message, field=field, hint=hint, values=values)


def _detail(status: Status, kind: type[M]) -> M | None:
    for packed in status.details:
        detail = kind()
        if packed.Unpack(detail):
            return detail
    return None


def _truncated(text: str, max_bytes: int) -> str:
    """Returns the text, truncated if it exceeds the limit: a value from the caller can be as long as a request body."""
    encoded = text.encode(errors="replace")
    return encoded.decode() if len(encoded) <= max_bytes else encoded[: max_bytes - 3].decode(errors="ignore") + "…"
