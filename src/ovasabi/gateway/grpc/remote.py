"""A service that runs in another process of the platform: the same calls, over gRPC, for the same caller."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

import grpc
import msgspec
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from ovasabi.errors import DeadlineExceeded, Kind, OvasabiError, such_as
from ovasabi.gateway.contract.protobuf.contract import Contract, Rpc
from ovasabi.gateway.grpc.call_metadata import CAUSATION_KEY, CORRELATION_KEY
from ovasabi.gateway.grpc.server import KEEPALIVE_MS
from ovasabi.gateway.grpc.statuses import error_of
from ovasabi.gateway.wire.headers import CLIENT_KEY
from ovasabi.gateway.wire.problems import unreadable
from ovasabi.kernel.call.context import PLATFORM, current, remaining
from ovasabi.kernel.call.errors import EntityNotFound
from ovasabi.kernel.declare.methods import Call, Watched
from ovasabi.kernel.service import Elsewhere, SearchAnswer, SearchRequest, Service
from ovasabi.kernel.store.listing import ListRequest, Page
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.security.peers import Peers

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Of an address that stands for several processes, each is called in turn.
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A connection that is dead, or whose process hangs, is found out though nobody sends a reset: also while nobody
    # calls, so that the next call does not find it so.
    ("grpc.keepalive_time_ms", 2 * KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_MS),
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_MS),  # which is a minute otherwise, whatever the keepalive says
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


_AT_ONCE = 32
"""Of so many entities at a time another process is asked."""
Metadata = list[tuple[str, str]]
"""Named here, since inside a service `list` is a method."""


class PeerUnavailable(OvasabiError):
    """The process in which a service runs cannot be reached, or was lost before its answer came."""

    kind = Kind.UNAVAILABLE
    code = "peer_unavailable"
    message = "The process of the service {service} did not answer."
    hint = "Try again shortly; a create with an Idempotency-Key can be sent again safely."
    example = such_as(service="content")


class Remote:
    """A service elsewhere. It has the operations of an `Entities`, for services that call each other."""

    def __init__(
        self, folder: str, rpcs: Mapping[str, Rpc], channel: grpc.aio.Channel, peers: Peers, seconds: float
    ) -> None:
        self._seconds = seconds
        self._folder = folder
        self._rpcs = rpcs
        self._peers = peers
        self._channel = channel
        self._ask = {name: _callable(channel, rpc) for name, rpc in rpcs.items()}

    async def run(self, call: Call) -> Any:
        """Answers a call of one of its methods."""
        rpc = self._rpcs[call.method.name]
        body = self._body(rpc, call)
        try:
            answer = await self._ask[rpc.method.name](body, metadata=self._metadata(), timeout=self._limit())
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from None
        return rpc.value(rpc.answer_class.FromString(answer))

    async def stream(self, call: Call) -> AsyncGenerator[Watched, None]:
        """The answers to a call of a method that goes on answering."""
        rpc = self._rpcs[call.method.name]
        listening = self._ask[rpc.method.name](self._body(rpc, call), metadata=self._metadata())
        answers = self._answers(rpc, listening)
        try:
            async with asyncio.timeout(self._limit()):
                # What is sent before the first answer says that the call was not refused.
                await listening.initial_metadata()
        except TimeoutError:
            listening.cancel()
            raise DeadlineExceeded from None
        if listening.done():
            await anext(answers)
        return answers

    async def create(self, values: Mapping[str, Any], *, key: str | None = None) -> Any:
        """Creates one."""
        return await self.run(self._call("create", request=self._struct("create", values), key=key))

    async def create_many(self, drafts: Sequence[NewEntity]) -> list[Any]:
        """Creates many, one by one; an error in the place of each that was refused."""
        made: list[Any] = []
        for draft in drafts:
            try:
                made.append(await self.create(draft.values, key=draft.key))
            except OvasabiError as error:
                made.append(error)
        return made

    async def get(self, reference: int | str, *, as_of: datetime | None = None) -> Any:
        """Reads one by id or uuid; with `as_of`, as it was then."""
        return await self.run(self._call("get", reference, as_of=as_of))

    async def get_many(self, ids: Sequence[int]) -> dict[int, Any]:
        """Those that are there, by id: asked for at the same time, a few at a time."""
        found: dict[int, Any] = {}
        for first in range(0, len(ids), _AT_ONCE):
            part = ids[first : first + _AT_ONCE]
            for entity in await asyncio.gather(*map(self._get_or_none, part)):
                if entity is not None:
                    found[entity.id] = entity
        return found

    async def list(self, request: ListRequest) -> Page[Any]:
        """Lists a page of them."""
        page: Page[Any] = await self.run(self._call("list", request=request))
        return page

    async def search(self, request: SearchRequest) -> SearchAnswer[Any]:
        """Searches their text."""
        answer: SearchAnswer[Any] = await self.run(self._call("search", request=request))
        return answer

    async def update(
        self, reference: int | str, values: Mapping[str, Any], *, expected_version: int | None = None
    ) -> Any:
        """Changes the fields that are given."""
        request = self._struct("update", values)
        return await self.run(self._call("update", reference, request=request, expected_version=expected_version))

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> Any:
        """Deletes one, softly."""
        return await self.run(self._call("delete", reference, expected_version=expected_version))

    async def restore(self, reference: int | str) -> Any:
        """Takes a delete back."""
        return await self.run(self._call("restore", reference))

    async def _get_or_none(self, id: int) -> Any:
        try:
            return await self.get(id)
        except EntityNotFound:
            return None

    def _call(self, name: str, reference: int | str | None = None, **values: Any) -> Call:
        target = None if reference is None else str(reference)
        return Call(self._rpcs[name].method, None, target, **values)

    def _struct(self, name: str, values: Mapping[str, Any]) -> Any:
        kind = self._rpcs[name].method.request
        try:
            return msgspec.convert(values, kind, from_attributes=True)
        except msgspec.ValidationError as error:
            raise unreadable(error, kind) from None

    def _body(self, rpc: Rpc, call: Call) -> bytes:
        """The message, for the campaign of the context and no other."""
        campaign = current().campaign_id
        named = None if campaign in (None, PLATFORM) else str(campaign)
        # A key that this process made up is, to the other one, as good as a client's.
        key = call.key if call.key is None or call.key.startswith(CLIENT_KEY) else CLIENT_KEY + call.key
        body: bytes = rpc.request(msgspec.structs.replace(call, campaign=named, key=key)).SerializeToString()
        return body

    def _limit(self) -> float:
        """Seconds that the call may take: what the caller has left, else what the platform gives a call."""
        left = remaining()
        return self._seconds if left is None else left

    def _metadata(self) -> Metadata:
        context = current()
        metadata: Metadata = [("authorization", self._peers.vouch(context.principal))]
        if context.correlation_id is not None:
            metadata.append((CORRELATION_KEY, context.correlation_id))
        if context.causation_id is not None:
            metadata.append((CAUSATION_KEY, str(context.causation_id)))
        return metadata

    def _error(self, error: grpc.aio.AioRpcError) -> OvasabiError:
        status = rpc_status.from_call(cast("Any", error))
        if status is not None:
            return error_of(status)
        # What gRPC says by itself has no details of ours: then the process was not reached, or was lost.
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            return PeerUnavailable(service=self._folder)
        return error_of(Status(code=error.code().value[0], message=error.details() or ""))

    async def _answers(self, rpc: Rpc, listening: Any) -> AsyncGenerator[Watched, None]:
        try:
            async for answer in listening:
                yield rpc.value(rpc.answer_class.FromString(answer))
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from None
        finally:
            listening.cancel()


def _callable(channel: grpc.aio.Channel, rpc: Rpc) -> Any:
    # Messages are written and read by the caller.
    kind: Any = channel.unary_stream if rpc.streams else channel.unary_unary
    return kind(rpc.path)


@asynccontextmanager
async def remotes(contract: Contract, seconds: float, peers: Peers) -> AsyncIterator[Elsewhere]:
    """What finds the services that do not run here, for as long as the block runs.

    A call of them may take so many `seconds` if its caller has no deadline.
    """
    channels: dict[str, grpc.aio.Channel] = {}

    def elsewhere(service: type[Service]) -> Remote | None:
        folder = service.subject.folder
        if folder in peers.local:
            return None
        address = peers.address(folder)
        if address not in channels:
            channels[address] = grpc.aio.insecure_channel(address, options=_OPTIONS)
        rpcs = {rpc.method.name: rpc for rpc in contract.rpcs if rpc.method.subject is service.subject}
        return Remote(folder, rpcs, channels[address], peers, seconds)

    try:
        yield elsewhere
    finally:
        for channel in channels.values():
            await channel.close(None)
