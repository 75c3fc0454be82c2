"""Errors over gRPC: `google.rpc.Status` with its details, and the way back, for a process that called another one."""

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status

from ovasabi.errors import DeadlineExceeded, Kind, OvasabiError, such_as
from ovasabi.gateway.error_registry import class_of
from ovasabi.gateway.exception_mapping import known
from ovasabi.gateway.status_codes import Grpc, grpc_code, kind_of, retry_after, urn

DOMAIN = "ovasabi"
# A status travels in the trailing headers, of which a client takes 8 KiB, some of it twice and in base64.
MOST_TEXT, MOST_VALUE, MOST_VALUES = 512, 256, 8

M = TypeVar("M", bound=Message)
E = TypeVar("E", bound=OvasabiError)


class RemoteError(OvasabiError):
    """Another process told of an error that this one has no class for; its code and kind are as they were told."""

    code = "remote_error"
    message = "{problem}"
    example = such_as(problem="The voucher is used up.", hint="Ask for another one.")

    def told_as(self, code: str, kind: Kind) -> "RemoteError":
        """The same error under the code and kind that the other process gave it."""
        self.code, self.kind = code, kind
        return self


def status_of(error: Exception, asked: str, correlation_id: str | None) -> Status:
    """What a caller is told of an error, whatever it is; one that should not have happened is logged with `asked`."""
    told = known(error, asked, correlation_id)
    status = Status(code=grpc_code(told), message=_brief(str(told), MOST_TEXT))
    for detail in _details(told, correlation_id):
        status.details.add().Pack(detail)
    return status


def error_of(status: Status) -> OvasabiError:
    """The error that a status tells of: of the same class if it is known here, so that `except KeyTaken` holds."""
    info = _detail(status, ErrorInfo)
    if info is None or info.domain != DOMAIN:
        return DeadlineExceeded() if status.code == Grpc.DEADLINE_EXCEEDED else _foreign(status)
    values: dict[str, Any] = dict(info.metadata)
    code, kind = values.pop("code", info.reason.lower()), values.pop("kind", None)
    cls = class_of(code)
    if cls is None:
        remote = _retold(RemoteError, status, values)
        return remote.told_as(code, Kind(kind) if kind in set(Kind) else kind_of(status.code))
    return _retold(cls, status, values)


def _details(error: OvasabiError, correlation_id: str | None) -> list[Message]:
    details: list[Message] = [ErrorInfo(reason=error.code.upper(), domain=DOMAIN, metadata=_metadata(error))]
    if error.field:
        violation = BadRequest.FieldViolation(
            field=_brief(error.field, MOST_VALUE), description=_brief(str(error), MOST_TEXT), reason=error.code.upper()
        )
        details.append(BadRequest(field_violations=[violation]))
    if error.hint:
        details.append(Help(links=[Help.Link(description=_brief(error.hint, MOST_TEXT), url=urn(error))]))
    if correlation_id:
        details.append(RequestInfo(request_id=correlation_id))
    if (seconds := retry_after(error)) is not None:
        details.append(RetryInfo(retry_delay=Duration(seconds=seconds)))
    return details


def _metadata(error: OvasabiError) -> dict[str, str]:
    """The values that the sentence and the hint show anyway, and no others; then what the error is."""
    shown = set(error.values) if isinstance(error, RemoteError) else type(error).places()
    values = {name: _brief(str(error.values[name]), MOST_VALUE) for name in sorted(shown & set(error.values))}
    return dict(list(values.items())[:MOST_VALUES]) | {"code": error.code, "kind": error.kind.value}


def _foreign(status: Status) -> RemoteError:
    """A status of another make, or one that gRPC gave by itself."""
    return _retold(RemoteError, status, {}).told_as(RemoteError.code, kind_of(status.code))


def _retold(cls: type[E], status: Status, values: Mapping[str, Any]) -> E:
    violations, help = _detail(status, BadRequest), _detail(status, Help)
    field = violations.field_violations[0].field if violations and violations.field_violations else None
    hint = help.links[0].description if help and help.links else None
    return cls.retold(status.message, field=field, hint=hint, values=values)


def _detail(status: Status, kind: type[M]) -> M | None:
    for packed in status.details:
        detail = kind()
        if packed.Unpack(detail):
            return detail
    return None


def _brief(text: str, most: int) -> str:
    """The text, or its beginning if it is of more bytes: a caller's own value can be as long as a body."""
    encoded = text.encode(errors="replace")
    return encoded.decode() if len(encoded) <= most else encoded[: most - 3].decode(errors="ignore") + "…"
