"""Calls to request messages and back: what HTTP says in path, query, headers and body, a message says in its fields."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from ovasabi.gateway.contract.protobuf.codec import Codec
from ovasabi.gateway.contract.protobuf.layout import Layout
from ovasabi.gateway.contract.protobuf.type_mapping import Form, Part, parts_of
from ovasabi.gateway.contract.protobuf.values import Unsayable, moment_of, timestamp_of
from ovasabi.gateway.wire.headers import CLIENT_KEY, idempotency_key
from ovasabi.gateway.wire.problems import BadRequest, unreadable
from ovasabi.kernel.declare.methods import Call, Method, MethodKind, values_of

_MOST = 2**31 - 1
"""The greatest version that there can be."""

Reader = Callable[[Any], Any]


class Requests:
    """The conversions of one method's requests."""

    def __init__(self, method: Method, layout: Layout, codec: Codec, message: type) -> None:
        self._method = method
        self._layout = layout
        self._message = message
        self._read = self._reader(codec)
        self._write = None if method.request is None else codec.writer(method.request)

    def campaign(self, message: Any) -> str | None:
        """The campaign that the message names; None if it is for the platform."""
        layout = self._layout
        if not layout.campaign or (layout.campaign_optional and not message.HasField("campaign")):
            return None
        named: str = message.campaign or _missing("campaign")
        return named

    def call(self, message: Any) -> Call:
        """What the message asks for, checked as over HTTP."""
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
        """The message that asks for what the call does."""
        layout = self._layout
        given = self._given(call)
        if layout.campaign:
            given["campaign"] = call.campaign
        if layout.target:
            given["id"] = call.target
        if layout.version:
            given["expected_version"] = call.expected_version
        if call.key is not None:
            given["idempotency_key"] = _client_key(call.key)
        if call.as_of is not None:
            given["as_of"] = timestamp_of(call.as_of)
        return self._message(**given)

    def _reader(self, codec: Codec) -> Reader | None:
        """How the values of the request are read, none if it has none."""
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
            return msgspec.convert(self._read(message), kind)  # type: ignore[misc]
        except msgspec.ValidationError as error:
            raise unreadable(error, kind) from None
        except Unsayable as error:
            raise BadRequest(field=".".join(error.path).replace(".[", "["), problem=f"{error.problem}.") from None

    def _given(self, call: Call) -> dict[str, Any]:
        if self._write is None:
            return {}
        values: dict[str, Any] = self._write(call.request)
        if not self._layout.body:
            return values
        given: dict[str, Any] = {self._layout.body: values}
        if self._method.operation is MethodKind.UPDATE and (names := list(values_of(call.request))):
            given["update_mask"] = {"paths": names}
        return given


def _masked(values: dict[str, Any], mask: Any, empty: dict[str, Any], kind: Any) -> dict[str, Any]:
    """The values that the mask names, those that are not there emptied; without a mask, those that are there."""
    if not mask:
        return values
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
    if not 1 <= version <= _MOST:
        raise BadRequest(field="expected_version", problem=f"The expected_version is between 1 and {_MOST}.")
    return version


def _key(message: Any) -> str | None:
    text = message.idempotency_key if message.HasField("idempotency_key") else None
    return idempotency_key(text, "idempotency_key")


def _client_key(key: str) -> str:
    """The key as the client gave it. One that no client gave is of this process alone, and cannot be sent."""
    if not key.startswith(CLIENT_KEY):
        raise ValueError(f"the key {key!r} is of this process")
    return key.removeprefix(CLIENT_KEY)


def _as_of(message: Any) -> datetime | None:
    try:
        return moment_of(message.as_of) if message.HasField("as_of") else None
    except Unsayable as error:
        raise BadRequest(field="as_of", problem=f"{error.problem}.") from None


def _missing(name: str) -> Any:
    raise BadRequest(field=name, problem=f"The field {name!r} is missing.")
