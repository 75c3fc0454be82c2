"""Converts calls to request messages and back: message fields replace HTTP's path, query, headers and body."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from ovasabi.gateway.contract.protobuf.codec import Codec
from ovasabi.gateway.contract.protobuf.layout import Layout
from ovasabi.gateway.contract.protobuf.type_mapping import Form, Part, parts_of
from ovasabi.gateway.contract.protobuf.values import NotRepresentable, moment_of, timestamp_of
from ovasabi.gateway.wire.headers import idempotency_key
from ovasabi.gateway.wire.problems import BadRequest, unreadable
from ovasabi.kernel.call.context import CLIENT_KEY
from ovasabi.kernel.declare.methods import Call, Method, MethodKind, values_of

_MAX_VERSION = 2**31 - 1
"""The greatest possible version."""
MAX_PATHS = 1_000
"""How many fields a mask may name."""

Reader = Callable[[Any], Any]


class Requests:
    """The conversions of one method's requests."""

    def __init__(self, method: Method, layout: Layout, codec: Codec, message: type) -> None:
        self._method = method
        self._layout = layout
        self._message = message
        self._forms = method.forms
        self._read = self._reader(codec)
        self._write = None if method.request is None else codec.writer(method.request)

    def campaign(self, message: Any) -> str | None:
        """Returns the campaign that the message names; None for the platform."""
        layout = self._layout
        if not layout.campaign or (layout.campaign_optional and not message.HasField("campaign")):
            return None
        campaign: str = message.campaign or _missing("campaign")
        return campaign

    def call(self, message: Any) -> Call:
        """Returns the call of the message, validated as over HTTP."""
        layout = self._layout
        return Call(
            method=self._method,
            campaign=self.campaign(message),
            target=(message.id or _missing("id")) if layout.target else None,
            request=None if self._read is None else self._checked(message),
            expected_version=_version(message) if layout.version else None,
            key=_key(message) if layout.key else None,
            as_of=_as_of(message) if layout.as_of else None,
        )

    def message(self, call: Call) -> Any:
        """Returns the request message of the call."""
        layout = self._layout
        fields = self._values(call)
        if layout.campaign:
            fields["campaign"] = call.campaign
        if layout.target:
            fields["id"] = call.target
        if layout.version:
            fields["expected_version"] = call.expected_version
        if call.key is not None:
            fields["idempotency_key"] = _client_key(call.key)
        if call.as_of is not None:
            fields["as_of"] = timestamp_of(call.as_of)
        return self._message(**fields)

    def _reader(self, codec: Codec) -> Reader | None:
        """Returns the conversion that reads the request's values; None if the method has no request."""
        body, request = self._layout.body, self._method.request
        if request is None:
            return None
        if not body:
            return codec.reading(self._layout.values)
        inside = codec.reader(request, whole=not self._layout.mask)
        if not self._layout.mask:
            return lambda message: inside(getattr(message, body))
        empty = {part.name: _empty(part) for part in parts_of(request)}
        return lambda message: _masked(inside(getattr(message, body)), message.update_mask.paths, empty, request)

    def _checked(self, message: Any) -> Any:
        kind = self._method.request
        try:
            values = self._read(message)  # type: ignore[misc]
            request = msgspec.convert(values, kind)
            if self._forms is not None:
                msgspec.convert(values, self._forms)
            return request
        except msgspec.ValidationError as error:
            raise unreadable(error, kind) from None
        except NotRepresentable as error:
            raise BadRequest(field=".".join(error.path).replace(".[", "["), problem=f"{error.problem}.") from None

    def _values(self, call: Call) -> dict[str, Any]:
        if self._write is None:
            return {}
        values: dict[str, Any] = self._write(call.request)
        if not self._layout.body:
            return values
        fields: dict[str, Any] = {self._layout.body: values}
        if self._method.operation is MethodKind.UPDATE and (names := list(values_of(call.request))):
            fields["update_mask"] = {"paths": names}
        return fields


def _masked(values: dict[str, Any], mask: Any, empty: dict[str, Any], kind: Any) -> dict[str, Any]:
    """Returns the values that the mask names, empty where they are absent; without a mask, the values present."""
    if not mask:
        return values
    if len(mask) > MAX_PATHS:
        raise BadRequest(field="update_mask", problem=f"update_mask has more than {MAX_PATHS} paths.")
    for name in mask:
        if name not in empty:
            raise unreadable(msgspec.ValidationError(f"Object contains unknown field `{name}`"), kind)
    return {name: values[name] if name in values else empty[name] for name in mask}


def _empty(part: Part) -> Any:
    return {Form.LIST: [], Form.MAP: {}}.get(part.shape.form)


def _version(message: Any) -> int | None:
    if not message.HasField("expected_version"):
        return None
    version: int = message.expected_version
    if not 1 <= version <= _MAX_VERSION:
        raise BadRequest(field="expected_version", problem=f"expected_version must be between 1 and {_MAX_VERSION}.")
    return version


def _key(message: Any) -> str | None:
    text = message.idempotency_key if message.HasField("idempotency_key") else None
    return idempotency_key(text, "idempotency_key")


def _client_key(key: str) -> str:
    """Returns the key as the client passed it. Keys of this process itself cannot be sent."""
    if not key.startswith(CLIENT_KEY):
        raise ValueError(f"the key {key!r} is internal to this process")
    return key.removeprefix(CLIENT_KEY)


def _as_of(message: Any) -> datetime | None:
    try:
        return moment_of(message.as_of) if message.HasField("as_of") else None
    except NotRepresentable as error:
        raise BadRequest(field="as_of", problem=f"{error.problem}.") from None


def _missing(name: str) -> Any:
    raise BadRequest(field=name, problem=f"The field {name!r} is missing.")
