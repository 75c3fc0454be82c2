"""What the tests of gRPC share: calls by name, what a status tells, and platforms of a test's own behind the door."""

import asyncio
import typing
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import grpc
import msgspec
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help, RequestInfo, RetryInfo
from grpc_status import rpc_status

from ovasabi.gateway.contract.protobuf.contract import Contract, Rpc, contract_of
from ovasabi.gateway.grpc.remote import remotes
from ovasabi.gateway.grpc.server import serving_grpc
from ovasabi.kernel.service import declared_methods
from ovasabi.runtime import Platform, running
from ovasabi.settings import Settings

Metadata = Sequence[tuple[str, str]]
DETAILS = (BadRequest, ErrorInfo, Help, RequestInfo, RetryInfo)


@cache
def contract() -> Contract:
    """The contract of all methods."""
    return contract_of(declared_methods())


@cache
def rpcs() -> dict[str, Rpc]:
    """The remote procedures by name, such as `CreateContent`."""
    return {rpc.name: rpc for rpc in contract().rpcs}


class Refused(msgspec.Struct, frozen=True):
    """A status that is not OK, with the details in it by the names of their types."""

    status: grpc.StatusCode
    text: str
    details: dict[str, Any]
    trailing: dict[str, str]

    @property
    def code(self) -> str:
        """The code of the error; empty if the status is not of our making."""
        return self.details["ErrorInfo"].metadata["code"] if "ErrorInfo" in self.details else ""

    @property
    def field(self) -> str | None:
        """The field at fault."""
        return self.details["BadRequest"].field_violations[0].field if "BadRequest" in self.details else None


def refused(error: grpc.aio.AioRpcError) -> Refused:
    """What a status tells."""
    status = rpc_status.from_call(typing.cast("Any", error))
    found: dict[str, Any] = {}
    for packed in [] if status is None else status.details:
        kind = next(kind for kind in DETAILS if packed.Is(kind.DESCRIPTOR))
        packed.Unpack(made := kind())
        found[kind.__name__] = made
    trailing = {name: value for name, value in error.trailing_metadata() or () if isinstance(value, str)}
    return Refused(error.code(), error.details() or "", found, trailing)


class Wire:
    """Calls with one key to one server."""

    def __init__(self, address: str, authorization: str = "") -> None:
        self.channel = grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)])
        self.authorization = authorization

    def start(
        self, name: str, body: Message | bytes | None = None, *, metadata: Metadata = (), timeout: float | None = 30,
        path: str = "", **values: Any,
    ) -> Any:  # fmt: skip
        """A call that goes on: of a procedure by name, with a message of these values or with bytes as they are."""
        rpc = rpcs()[name]
        sent = rpc.request_class(**values) if body is None else body
        kind: Any = self.channel.unary_stream if rpc.streams else self.channel.unary_unary
        given = [*([("authorization", self.authorization)] if self.authorization else []), *metadata]
        ask = kind(
            path or rpc.path,
            request_serializer=lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
            response_deserializer=rpc.response_class.FromString,
        )
        return ask(sent, metadata=given, timeout=timeout)

    async def ask(self, name: str, body: Message | bytes | None = None, **options: Any) -> Any:
        """The answer of a call, or what was told instead."""
        call = self.start(name, body, **options)
        try:
            return await anext(aiter(call)) if rpcs()[name].streams else await call
        except grpc.aio.AioRpcError as error:
            return refused(error)
        finally:
            call.cancel()

    async def __aenter__(self) -> "Wire":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()


@asynccontextmanager
async def on_grpc(url: str, home: Path, port: int = 0, **settings: Any) -> AsyncIterator[tuple[Platform, str]]:
    """A platform of a test's own, and where it listens; services that it does not run are looked for elsewhere."""
    given = Settings(home=home, **{"pool_size": 2, "write_pool_size": 2, **settings})
    async with AsyncExitStack() as opened:
        platform = await opened.enter_async_context(
            running(url, given, partial(remotes, contract(), given.request_timeout_seconds))
        )
        bound = await opened.enter_async_context(serving_grpc(platform, contract(), "127.0.0.1", port))
        yield platform, f"127.0.0.1:{bound}"


async def within(seconds: float, answer: Any) -> Any:
    """The answer, which must come in time."""
    return await asyncio.wait_for(answer, seconds)
