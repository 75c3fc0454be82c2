"""The rules of operations: accepted, started, finished with success, failure or cancellation, and finally deleted."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.decimals import to_builtins
from ovasabi.kernel.call.context import current
from ovasabi.kernel.call.errors import KeyReused
from ovasabi.kernel.call.locks import LockHeld, leased, locked
from ovasabi.kernel.call.transaction import atomically
from ovasabi.kernel.call.verb import running_verb
from ovasabi.kernel.declare.methods import Call, MethodKind, Resource, read
from ovasabi.kernel.declare.moves import Values, move
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store.history import request_of
from ovasabi.system.operation import work
from ovasabi.system.operation.entity import Failure, Operation, OperationState
from ovasabi.system.operation.errors import NoOutput, NotFinished, TooMany

QUEUED, RUNNING = OperationState.QUEUED, OperationState.RUNNING
SUCCEEDED, FAILED, CANCELLED = OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED
FINISHED = (SUCCEEDED, FAILED, CANCELLED)
UNFINISHED_AT_MOST = 100
"""Limit of unfinished operations per campaign: each stores its request, of up to 8 MiB."""
LEASE_SECONDS = 10.0
"""How long the work of a process that died is left alone before another process picks it up."""


class DownloadQuery(msgspec.Struct, frozen=True):
    """Selects a piece of the output."""

    after: Annotated[
        int, Meta(ge=0, le=2**31 - 1, description="The `next` of the previous piece. If omitted, the first piece.")
    ] = 0


class Download(msgspec.Struct, frozen=True):
    """A piece of the output. Joined in order, the pieces are the complete output."""

    data: str
    next: Annotated[int | None, Meta(description="Pass as `after` to get the next piece; null on the last piece.")]


class Outcome(msgspec.Struct, frozen=True):
    """How far the work got, and its result."""

    done: int
    total: int | None
    result: Any

    @property
    def values(self) -> dict[str, Any]:
        """The outcome as field values of the operation."""
        return {"done": self.done, "total": self.total, "result": to_builtins(self.result)}


class Operations(EntityService[Operation]):
    """Operations: the long-running work of a campaign or of the platform."""

    offers = frozenset({MethodKind.GET, MethodKind.LIST, MethodKind.DELETE})
    resource = Resource.EITHER

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.wake_up = asyncio.Event()
        """Set when there may be work to do."""
        self.under_way: Callable[[], int] = lambda: 0
        """Returns how many operations this process runs."""

    async def accept(self, call: Call) -> Operation:
        """Accepts the work that a call requests.

        Repeating a call with the same key has no further effect. Raises TooMany at the campaign's limit of unfinished
        operations.
        """
        request = "null" if call.request is None else msgspec.json.encode(call.request).decode()
        digest, *before = self._digests(call, request)

        async def write() -> Operation:
            async with locked(self.database, f"operation start {call.key or digest}"):
                known = call.key is not None and await request_of(self.database, call.key) is not None
                if not known and await work.waiting(self.database) >= UNFINISHED_AT_MOST:
                    raise TooMany(most=UNFINISHED_AT_MOST)
                operation = await self._accepted(call, digest, before)
                if not known:
                    await work.add(self.database, operation.id, call.method.subject.label, call.target, request)
                return operation

        operation = await atomically(self.database, write)
        self.wake_up.set()
        return operation

    def _digests(self, call: Call, request: str) -> list[str]:
        """Returns the digest of a request, and those that it had under earlier secret keys and in earlier versions."""
        given, whole = (f"{call.target}\0{text}".encode() for text in (_given(call.request), request))
        unkeyed = [hashlib.sha256(each).hexdigest() for each in (given, whole)]
        keys = self.database.secret_keys
        return unkeyed if keys is None else [*(each.hex()[:64] for each in keys.digests(given)), *unkeyed]

    async def _accepted(self, call: Call, digest: str, before: Sequence[str]) -> Operation:
        try:
            return await self.repository.create({"kind": call.method.id, "request_digest": digest}, key=call.key)
        except KeyReused:  # perhaps the same request, from before its digest was made like this
            if not before:
                raise
            return await self._accepted(call, before[0], before[1:])

    @move(from_=[QUEUED], to=RUNNING, internal=True)
    async def start(self, operation: Operation) -> Values:
        """Marks the operation as running. Another process that continues the work does not start it again."""
        return {"started_at": self.present_time(operation)}

    @move(from_=[RUNNING], to=SUCCEEDED, internal=True)
    async def succeed(self, operation: Operation, outcome: Outcome) -> Values:
        """Marks the operation as succeeded."""
        return outcome.values | {"error": None, "finished_at": self.present_time(operation)}

    @move(from_=[QUEUED, RUNNING], to=FAILED, internal=True)
    async def fail(self, operation: Operation, outcome: Outcome, failure: Failure) -> Values:
        """Marks the operation as failed."""
        return outcome.values | {"error": failure, "finished_at": self.present_time(operation)}

    @move(from_=[QUEUED, RUNNING], to=CANCELLED)
    async def cancel(self, operation: Operation) -> Values:
        """Cancels the operation.

        Running work stops at its next step, and its partial result is kept. Until then, the operation remains
        `running`.
        """
        return {"result": await work.cancel(self.database, operation.id), "finished_at": self.present_time(operation)}

    @read()
    async def download(self, operation: Operation, query: DownloadQuery) -> Download:
        """Returns the output of a successful export, one piece at a time."""
        if operation.state not in FINISHED:
            raise NotFinished(state=operation.state)
        data, number, last = await work.output(self.database, operation.id, query.after)
        if operation.state is not SUCCEEDED or not last:
            raise NoOutput(state=operation.state if operation.state is SUCCEEDED else f"was {operation.state}")
        return Download(data, number if number < last else None)

    async def before_delete(self, entity: Operation) -> None:
        """Refuses to delete an unfinished operation; deletes the output of a finished one permanently."""
        if entity.state not in FINISHED:
            raise NotFinished(state=entity.state)
        await work.clear(self.database, entity.id)

    async def change(self, entity: Operation, verb: str | None = None, /, **values: Any) -> Operation:
        """Applies a state change under the operation's lease.

        If a worker holds the lease, the operation is returned as it is, and the worker applies the change at its next
        step.
        """
        verb, name = verb or running_verb(), work.lease_name(entity.id)
        fence = current().fence
        if fence is not None and fence.name == name:
            return await self._changed(entity, verb, values)
        try:
            async with leased(self.database, name, LEASE_SECONDS):
                latest = await self.repository.get(entity.id)
                self.machine.after(verb, latest)
                return await self._changed(latest, verb, values)
        except LockHeld:
            return await self.get(entity.id)

    async def _changed(self, operation: Operation, verb: str, values: Values) -> Operation:
        """Applies the change; the one that finishes the operation also removes its unfinished work."""

        async def write() -> Operation:
            changed = await super(Operations, self).change(operation, verb, **values)
            if changed.state in FINISHED:
                await work.remove(self.database, changed.id)
            return changed

        return await atomically(self.database, write)


def _given(request: Any) -> str:
    """Returns the values of a request that differ from their defaults, so that a further field does not change them."""
    fields = msgspec.structs.fields(request) if isinstance(request, msgspec.Struct) else ()
    values = {field.name: getattr(request, field.name) for field in fields}
    given = {field.name: values[field.name] for field in fields if values[field.name] != _default(field)}
    return msgspec.json.encode(given, order="sorted").decode()


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
