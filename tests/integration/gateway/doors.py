"""The doors, each as something that takes a call and gives its answer or the error that it told."""

import json
import typing
from collections.abc import AsyncIterator
from typing import Any, Protocol

import grpc
import httpx
import msgspec
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status import rpc_status

from ovasabi.errors import Kind
from ovasabi.gateway.contract.protobuf.contract import Contract
from ovasabi.gateway.status_codes import STATUS_CODES
from ovasabi.gateway.wire.paths import addresses_of, verb_of
from ovasabi.kernel.call.context import CLIENT_KEY
from ovasabi.kernel.declare.methods import Call
from ovasabi.kernel.store.listing import Page


class Told(msgspec.Struct, frozen=True):
    """An error as a door told it."""

    code: str
    kind: str
    field: str | None


class Door(Protocol):
    """A way in."""

    async def ask(self, call: Call, authorization: str | None) -> Any:
        """The answer, or what was told instead."""

    def listen(self, call: Call, authorization: str | None) -> AsyncIterator[Any]:
        """The answers to a watch."""


class OverHttp:
    """HTTP, by the addresses and bodies that its documentation gives."""

    def __init__(self, address: str) -> None:
        self.client = httpx.AsyncClient(base_url=address, timeout=30, verify=False)  # which takes long to make ready

    async def ask(self, call: Call, authorization: str | None) -> Any:
        """The answer, or what was told instead."""
        answer = await self.client.send(self._request(call, authorization))
        if answer.is_error:
            problem = answer.json()
            return Told(problem["code"], problem["title"], _field(problem.get("field")))
        response, body = call.method.response, answer.json()
        if typing.get_origin(response) is Page:
            items = body.pop(call.method.subject.plural)
            return msgspec.convert({"items": items, **body}, response)
        return msgspec.convert(body, response)

    async def listen(self, call: Call, authorization: str | None) -> AsyncIterator[Any]:
        """The answers to a watch."""
        async with self.client.stream(
            "GET", (request := self._request(call, authorization)).url, headers=request.headers
        ) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield msgspec.json.decode(line.removeprefix("data: "), type=call.method.response)

    def _request(self, call: Call, authorization: str | None) -> httpx.Request:
        method = call.method
        places = {"campaign": call.campaign, "id": call.target}
        wanted = "{campaign}" if call.campaign is not None else ""
        address = next(a for a in addresses_of(method) if (wanted in a) and (wanted or "{campaign}" not in a))
        for name, value in places.items():
            address = address.replace(f"{{{name}}}", str(value))
        headers = {} if authorization is None else {"authorization": authorization}
        if call.expected_version is not None:
            headers["if-match"] = f'"{call.expected_version}"'
        if call.key is not None:
            headers["idempotency-key"] = call.key.removeprefix(CLIENT_KEY)
        given = {} if call.request is None else msgspec.to_builtins(call.request)
        if method.writes:
            body = json.dumps(given) if call.request is not None else None
            return self.client.build_request(verb_of(method), address, content=body, headers=headers)
        query = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
        if call.as_of is not None:
            query["as_of"] = call.as_of.isoformat()
        known = {name: value for name, value in query.items() if value is not None}
        return self.client.build_request(verb_of(method), address, params=known, headers=headers)


class OverGrpc:
    """gRPC, by the contract."""

    def __init__(self, contract: Contract, address: str) -> None:
        self.rpcs = {(rpc.method.id): rpc for rpc in contract.rpcs}
        self.channel = grpc.aio.insecure_channel(address)

    async def ask(self, call: Call, authorization: str | None) -> Any:
        """The answer, or what was told instead."""
        rpc = self.rpcs[call.method.id]
        ask: Any = self.channel.unary_unary(rpc.path)  # type: ignore[call-arg]
        try:
            answer = await ask(self._body(call), metadata=_metadata(authorization), timeout=30)
        except grpc.aio.AioRpcError as error:
            return told(error)
        return rpc.value(rpc.response_class.FromString(answer))

    async def listen(self, call: Call, authorization: str | None) -> AsyncIterator[Any]:
        """The answers to a watch."""
        rpc = self.rpcs[call.method.id]
        listen: Any = self.channel.unary_stream(rpc.path)  # type: ignore[call-arg]
        listening = listen(self._body(call), metadata=_metadata(authorization))
        try:
            async for answer in listening:
                yield rpc.value(rpc.response_class.FromString(answer))
        finally:
            listening.cancel()

    def _body(self, call: Call) -> bytes:
        body: bytes = self.rpcs[call.method.id].request(call).SerializeToString()
        return body


def told(error: grpc.aio.AioRpcError) -> Told:
    """What a status tells."""
    status = rpc_status.from_call(typing.cast("Any", error))
    assert status is not None, (error.code(), error.details())
    info, field = ErrorInfo(), None
    for detail in status.details:
        if detail.Is(BadRequest.DESCRIPTOR):
            violations = BadRequest()
            detail.Unpack(violations)
            field = violations.field_violations[0].field
        elif detail.Is(ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
    return Told(info.metadata["code"], STATUS_CODES[Kind(info.metadata["kind"])].title, _field(field))


def _metadata(authorization: str | None) -> list[tuple[str, str]]:
    return [] if authorization is None else [("authorization", authorization)]


def _field(name: str | None) -> str | None:
    # A header of HTTP is a field of a message.
    return {"If-Match": "expected_version", "Idempotency-Key": "idempotency_key"}.get(name or "", name)
