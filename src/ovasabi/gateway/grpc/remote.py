"""Calls services that run in another process of the platform: the same methods, over gRPC, for the same caller."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

import grpc
import msgspec
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from ovasabi.database.retry import Policy, retry
from ovasabi.errors import DeadlineExceeded, Kind, OvasabiError, such_as
from ovasabi.gateway.contract.protobuf.contract import Contract, Rpc
from ovasabi.gateway.grpc.call_metadata import CAUSATION_KEY, CORRELATION_KEY
from ovasabi.gateway.grpc.server import KEEPALIVE_MS
from ovasabi.gateway.grpc.statuses import error_of
from ovasabi.gateway.wire.problems import unreadable
from ovasabi.kernel.call.context import CLIENT_KEY, PLATFORM, current, deadline, remaining
from ovasabi.kernel.call.errors import EntityNotFound
from ovasabi.kernel.declare.methods import Call, Watched
from ovasabi.kernel.service import Elsewhere, SearchRequest, SearchResponse, Service
from ovasabi.kernel.store.listing import ListRequest, Page
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.security.peers import Peers

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # If a name resolves to several processes, calls are distributed among them.
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


_RECONNECT = Policy(attempts=2, first=0.1, longest=0.1)
"""Of calls that change nothing: often only the call that uses a connection finds that it is dead."""
_AT_ONCE = 32
"""How many entities are requested from another process concurrently."""
Metadata = list[tuple[str, str]]
"""Defined here because inside the class `list` is a method."""


class PeerUnavailable(OvasabiError):
    """The process that runs a service cannot be reached, or was lost before it responded."""

    kind = Kind.UNAVAILABLE
    code = "peer_unavailable"
    message = "The process that runs the service {service} is unavailable."
    hint = "Try again shortly. A create with an Idempotency-Key can safely be repeated."
    example = such_as(service="content")


class Remote:
    """A service in another process, with the operations of an entity service, for services that call each other."""

    def __init__(
        self, folder: str, rpcs: Mapping[str, Rpc], channel: grpc.aio.Channel, peers: Peers, seconds: float
    ) -> None:
        self._seconds = seconds
        self._folder = folder
        self._rpcs = rpcs
        self._peers = peers
        self._channel = channel
        self._rpc_calls = {name: _callable(channel, rpc) for name, rpc in rpcs.items()}

    async def run(self, call: Call) -> Any:
        """Performs a call of one of its methods."""
        if call.method.writes:
            return await self._run(call)
        return await retry(lambda: self._run(call), _RECONNECT, on=_was_lost, deadline=deadline())

    async def stream(self, call: Call) -> AsyncGenerator[Watched, None]:
        """Starts a call of a streaming method, and returns its stream of messages."""
        return await retry(lambda: self._stream(call), _RECONNECT, on=_was_lost, deadline=deadline())

    async def _run(self, call: Call) -> Any:
        rpc = self._rpcs[call.method.name]
        body = self._body(rpc, call)
        try:
            response = await self._rpc_calls[rpc.method.name](body, metadata=self._metadata(rpc), timeout=self._limit())
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from None
        return rpc.value(rpc.response_class.FromString(response))

    async def _stream(self, call: Call) -> AsyncGenerator[Watched, None]:
        rpc = self._rpcs[call.method.name]
        stream = self._rpc_calls[rpc.method.name](self._body(rpc, call), metadata=self._metadata(rpc))
        messages = self._messages(rpc, stream)
        try:
            async with asyncio.timeout(self._limit()):
                # The initial metadata, sent before the first message, says that the call was accepted.
                await stream.initial_metadata()
        except TimeoutError:
            stream.cancel()
            raise DeadlineExceeded from None
        if stream.done():
            await anext(messages)
        return messages

    async def create(self, values: Mapping[str, Any], *, key: str | None = None) -> Any:
        """Creates an entity."""
        return await self.run(self._call("create", request=self._struct("create", values), key=key))

    async def create_many(self, drafts: Sequence[NewEntity]) -> list[Any]:
        """Creates entities one by one; returns each entity, or the error if it was refused, in the same order."""
        results: list[Any] = []
        for draft in drafts:
            try:
                results.append(await self.create(draft.values, key=draft.key))
            except OvasabiError as error:
                results.append(error)
        return results

    async def get(self, reference: int | str, *, as_of: datetime | None = None) -> Any:
        """Returns an entity by id or UUID; with `as_of`, as it was at that time."""
        return await self.run(self._call("get", reference, as_of=as_of))

    async def get_many(self, ids: Sequence[int]) -> dict[int, Any]:
        """Returns the entities that exist, by id; they are requested concurrently, in batches."""
        found: dict[int, Any] = {}
        for first in range(0, len(ids), _AT_ONCE):
            batch = ids[first : first + _AT_ONCE]
            for entity in await asyncio.gather(*map(self._get_or_none, batch)):
                if entity is not None:
                    found[entity.id] = entity
        return found

    async def list(self, request: ListRequest) -> Page[Any]:
        """Returns a page of entities."""
        page: Page[Any] = await self.run(self._call("list", request=request))
        return page

    async def search(self, request: SearchRequest) -> SearchResponse[Any]:
        """Searches the text of entities."""
        result: SearchResponse[Any] = await self.run(self._call("search", request=request))
        return result

    async def update(
        self, reference: int | str, values: Mapping[str, Any], *, expected_version: int | None = None
    ) -> Any:
        """Updates the given fields."""
        request = self._struct("update", values)
        return await self.run(self._call("update", reference, request=request, expected_version=expected_version))

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> Any:
        """Soft-deletes an entity."""
        return await self.run(self._call("delete", reference, expected_version=expected_version))

    async def restore(self, reference: int | str) -> Any:
        """Restores a deleted entity."""
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
        """Encodes the request, always for the campaign of the context."""
        campaign_id = current().campaign_id
        campaign = None if campaign_id in (None, PLATFORM) else str(campaign_id)
        # To the other process, a key that this process generated is the same as a client's.
        key = call.key if call.key is None or call.key.startswith(CLIENT_KEY) else CLIENT_KEY + call.key
        body: bytes = rpc.request(msgspec.structs.replace(call, campaign=campaign, key=key)).SerializeToString()
        return body

    def _limit(self) -> float:
        """Seconds that the call may take: what the caller has left, else what the platform gives a call."""
        left = remaining()
        return self._seconds if left is None else left

    def _metadata(self, rpc: Rpc) -> Metadata:
        context = current()
        word = self._peers.vouch(context.principal, self._folder, rpc.method.id)
        metadata: Metadata = [("authorization", word)]
        if context.correlation_id is not None:
            metadata.append((CORRELATION_KEY, context.correlation_id))
        if context.causation_id is not None:
            metadata.append((CAUSATION_KEY, str(context.causation_id)))
        return metadata

    def _error(self, error: grpc.aio.AioRpcError) -> OvasabiError:
        status = rpc_status.from_call(cast("Any", error))
        if status is not None:
            return error_of(status)
        # Errors from gRPC itself lack our details: the process could not be reached, or was lost.
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            return PeerUnavailable(service=self._folder)
        return error_of(Status(code=error.code().value[0], message=error.details() or ""))

    async def _messages(self, rpc: Rpc, stream: Any) -> AsyncGenerator[Watched, None]:
        try:
            async for message in stream:
                yield rpc.value(rpc.response_class.FromString(message))
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from None
        finally:
            stream.cancel()


def _was_lost(error: Exception) -> bool:
    return isinstance(error, PeerUnavailable)


def _callable(channel: grpc.aio.Channel, rpc: Rpc) -> Any:
    # Messages are serialized and parsed by the caller.
    kind: Any = channel.unary_stream if rpc.streams else channel.unary_unary
    return kind(rpc.path)


@asynccontextmanager
async def remotes(contract: Contract, seconds: float, peers: Peers) -> AsyncIterator[Elsewhere]:
    """Yields what finds the services that do not run here; their connections are closed at the end of the block.

    A call whose caller has no deadline may take at most so many `seconds`.
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
