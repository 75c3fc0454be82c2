"""The rules of operations: accepted, carried out, finished in one of three ways; cancelled by who may; then deleted."""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.kernel.call.context import Fence, acting, current
from ovasabi.kernel.call.transaction import atomically
from ovasabi.kernel.declare.methods import Call, MethodKind, Resource, read, verb
from ovasabi.kernel.declare.state_machine import StateMachine
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store.history import is_known
from ovasabi.kernel.store.locks import LockHeld, acquire, locked, release
from ovasabi.system.operation import work
from ovasabi.system.operation.entity import Operation, OperationState
from ovasabi.system.operation.errors import NoOutput, NotFinished, TooMany

QUEUED, RUNNING = OperationState.QUEUED, OperationState.RUNNING
SUCCEEDED, FAILED, CANCELLED = OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED
FINISHED = (SUCCEEDED, FAILED, CANCELLED)
MOVES = StateMachine(
    {
        "start": ([QUEUED], RUNNING),
        "succeed": ([RUNNING], SUCCEEDED),
        "fail": ([QUEUED, RUNNING], FAILED),
        "cancel": ([QUEUED, RUNNING], CANCELLED),
    }
)
UNFINISHED_AT_MOST = 100
"""Operations of one campaign: each keeps its request, of 8 MiB at most."""
LEASE_SECONDS = 10.0
"""For so long nobody else takes work on whose process has gone away without a word."""


class DownloadQuery(msgspec.Struct, frozen=True):
    """Which piece of the output."""

    after: Annotated[int, Meta(ge=0, le=2**31 - 1, description="The `next` of the piece before.")] = 0


class Download(msgspec.Struct, frozen=True):
    """A piece of the output; all pieces in order, joined, are the whole."""

    data: str
    next: Annotated[int | None, Meta(description="Ask for more `after` this; null if this was the last.")]


class Operations(EntityService[Operation]):
    """Operations: the long-running work of a campaign, or of the platform."""

    offers = frozenset({MethodKind.GET, MethodKind.LIST, MethodKind.DELETE})
    resource = Resource.EITHER

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.news = asyncio.Event()
        """Set when there is something to do."""

    async def start(self, call: Call) -> Operation:
        """Accepts the work that a call asks for; under the call's key, once. A campaign has only so much of it."""
        request = "null" if call.request is None else msgspec.json.encode(call.request).decode()
        digest = hashlib.sha256(f"{call.target}\0{request}".encode()).hexdigest()
        values = {"kind": call.method.id, "request_digest": digest, "state": QUEUED}

        async def accepted() -> Operation:
            async with locked(self.database, f"operation start {call.key or digest}"):
                known = call.key is not None and await is_known(self.database, call.key)
                if not known and await work.waiting(self.database) >= UNFINISHED_AT_MOST:
                    raise TooMany(most=UNFINISHED_AT_MOST)
                operation = await self.repository.create(values, key=call.key)
                if not known:
                    await work.add(self.database, operation.id, call.method.subject.label, call.target, request)
                return operation

        operation = await atomically(self.database, accepted)
        self.news.set()
        return operation

    @verb()
    async def cancel(self, operation: Operation) -> Operation:
        """Stops the work at its next step, and keeps what it has done; until then the answer is not `cancelled` yet."""
        MOVES.after("cancel", operation.state)
        so_far = await work.cancel(self.database, operation.id)
        try:
            lease = await acquire(self.database, work.lease_name(operation.id), LEASE_SECONDS)
        except LockHeld:
            return await self.get(operation.id)  # who works on it will see it
        with acting(msgspec.structs.replace(current(), fence=Fence(lease.name, lease.token))):
            try:
                return await self.finish(await self.repository.get(operation.id), "cancel", {"result": so_far})
            finally:
                await release(self.database, lease)

    @read()
    async def download(self, operation: Operation, query: DownloadQuery) -> Download:
        """The output of an export that succeeded, piece by piece."""
        if operation.state not in FINISHED:
            raise NotFinished(state=operation.state)
        data, number, last = await work.output(self.database, operation.id, query.after)
        if operation.state is not SUCCEEDED or not last:
            raise NoOutput(state=operation.state if operation.state is SUCCEEDED else f"was {operation.state}")
        return Download(data, number if number < last else None)

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> Operation:
        """Deletes a finished one, with its output, for good."""
        operation = await self.get(reference)
        if operation.state not in FINISHED:
            raise NotFinished(state=operation.state)

        async def gone() -> Operation:
            await work.clear(self.database, operation.id)
            return await self.repository.delete(operation.id, expected_version=expected_version)

        return await atomically(self.database, gone)

    async def begin(self, operation: Operation) -> Operation:
        """Says that somebody works on it; nothing is said of it when another process goes on."""
        if operation.state is RUNNING:
            return operation
        values = {"state": MOVES.after("start", operation.state), "started_at": datetime.now(UTC)}
        return await self.repository.update(operation.id, values, verb="start")

    async def finish(self, operation: Operation, verb: str, values: Mapping[str, Any]) -> Operation:
        """Says how it ended, and forgets what was kept to go on; to be called under its lease."""
        ended = {"state": MOVES.after(verb, operation.state), "finished_at": datetime.now(UTC), **values}

        async def written() -> Operation:
            finished = await self.repository.update(operation.id, ended, verb=verb)
            await work.remove(self.database, operation.id)
            return finished

        return await atomically(self.database, written)
