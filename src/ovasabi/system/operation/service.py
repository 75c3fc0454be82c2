"""The rules of operations: accepted, carried out, finished in one of three ways; cancelled by who may; then deleted."""

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.kernel.call.context import current
from ovasabi.kernel.call.transaction import atomically
from ovasabi.kernel.declare.methods import Call, MethodKind, Resource, read
from ovasabi.kernel.declare.moves import Values, move
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store.history import is_known
from ovasabi.kernel.store.locks import LockHeld, leased, locked
from ovasabi.system.operation import work
from ovasabi.system.operation.entity import Failure, Operation, OperationState
from ovasabi.system.operation.errors import NoOutput, NotFinished, TooMany

QUEUED, RUNNING = OperationState.QUEUED, OperationState.RUNNING
SUCCEEDED, FAILED, CANCELLED = OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED
FINISHED = (SUCCEEDED, FAILED, CANCELLED)
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


class Outcome(msgspec.Struct, frozen=True):
    """How far the work got, and what came of it."""

    done: int
    total: int | None
    result: Any

    @property
    def values(self) -> dict[str, Any]:
        """As values of the operation."""
        return {"done": self.done, "total": self.total, "result": msgspec.to_builtins(self.result)}


class Operations(EntityService[Operation]):
    """Operations: the long-running work of a campaign, or of the platform."""

    offers = frozenset({MethodKind.GET, MethodKind.LIST, MethodKind.DELETE})
    resource = Resource.EITHER

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.news = asyncio.Event()
        """Set when there is something to do."""

    async def accept(self, call: Call) -> Operation:
        """Accepts the work that a call asks for; under the call's key, once. A campaign has only so much of it."""
        request = "null" if call.request is None else msgspec.json.encode(call.request).decode()
        digest = hashlib.sha256(f"{call.target}\0{request}".encode()).hexdigest()
        values = {"kind": call.method.id, "request_digest": digest}

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

    @move(from_=[QUEUED], to=RUNNING, internal=True)
    async def start(self, operation: Operation) -> Values:
        """Somebody works on it; nothing is said of it when another process goes on."""
        return {"started_at": datetime.now(UTC)}

    @move(from_=[RUNNING], to=SUCCEEDED, internal=True)
    async def succeed(self, operation: Operation, outcome: Outcome) -> Values:
        """Its method has come to its end."""
        return outcome.values | {"error": None, "finished_at": datetime.now(UTC)}

    @move(from_=[QUEUED, RUNNING], to=FAILED, internal=True)
    async def fail(self, operation: Operation, outcome: Outcome, failure: Failure) -> Values:
        """Its method ended with an error."""
        return outcome.values | {"error": failure, "finished_at": datetime.now(UTC)}

    @move(from_=[QUEUED, RUNNING], to=CANCELLED)
    async def cancel(self, operation: Operation) -> Values:
        """Stops the work at its next step, and keeps what it has done; until then the answer is not `cancelled` yet."""
        return {"result": await work.cancel(self.database, operation.id), "finished_at": datetime.now(UTC)}

    @read()
    async def download(self, operation: Operation, query: DownloadQuery) -> Download:
        """The output of an export that succeeded, piece by piece."""
        if operation.state not in FINISHED:
            raise NotFinished(state=operation.state)
        data, number, last = await work.output(self.database, operation.id, query.after)
        if operation.state is not SUCCEEDED or not last:
            raise NoOutput(state=operation.state if operation.state is SUCCEEDED else f"was {operation.state}")
        return Download(data, number if number < last else None)

    async def before_delete(self, entity: Operation) -> None:
        """Only a finished one is deleted, and its output with it, for good."""
        if entity.state not in FINISHED:
            raise NotFinished(state=entity.state)
        await work.clear(self.database, entity.id)

    async def change(self, entity: Operation, verb: str, /, **values: Any) -> Operation:
        """Makes a move under the operation's lease; whoever works on it has that, and then makes the move in time."""
        name = work.lease_name(entity.id)
        fence = current().fence
        if fence is not None and fence.name == name:
            return await self._moved(entity, verb, values)
        try:
            async with leased(self.database, name, LEASE_SECONDS):
                there = await self.repository.get(entity.id)
                self.machine.after(verb, there)
                return await self._moved(there, verb, values)
        except LockHeld:
            return await self.get(entity.id)

    async def _moved(self, operation: Operation, verb: str, values: Values) -> Operation:
        """The move; with the last one goes what was kept to go on."""

        async def written() -> Operation:
            moved = await super(Operations, self).change(operation, verb, **values)
            if moved.state in FINISHED:
                await work.remove(self.database, moved.id)
            return moved

        return await atomically(self.database, written)
