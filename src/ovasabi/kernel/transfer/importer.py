"""Imports the lines of a file in batches, through the service's own create; safe to interrupt and to run again."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import msgspec

from ovasabi.database.failures import ROLLED_BACK, is_servers, transient
from ovasabi.database.retry import Policy, left_to, retry
from ovasabi.errors import Kind, OvasabiError
from ovasabi.kernel.call.context import deadline
from ovasabi.kernel.call.errors import LeaseLost
from ovasabi.kernel.declare.entity import Entity, declared
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.kernel.transfer.batches import Batch, Row
from ovasabi.kernel.transfer.lines import Line, NotImportable
from ovasabi.suggestions import nearest

T = TypeVar("T")
IN_FLIGHT = 3
"""The number of batches that are sent concurrently. Besides them, only those being read are in memory."""
PATIENCE = Policy(first=0.2, longest=10.0, seconds=45.0)
"""How long to retry while the database is unavailable; long enough to survive a restart."""

_ROW_ERRORS = (Kind.INVALID, Kind.PRECONDITION, Kind.CONFLICT, Kind.EXISTS, Kind.NOT_FOUND)


class Tally(msgspec.Struct):
    """The number of lines by outcome so far; `end` is the byte offset at which they end in the file."""

    created: int = 0
    present: int = 0
    rejected: int = 0
    end: int = 0

    @property
    def lines(self) -> int:
        """The number of lines processed."""
        return self.created + self.present + self.rejected


class EntityCreator(Protocol):
    """The part of an entity type's service that creates many entities at a time."""

    async def ids_by_key(self, keys: Sequence[str | None]) -> Mapping[str, int]:
        """Returns the ids of the entities that were created under client keys before."""

    async def create_many(self, drafts: Sequence[NewEntity]) -> "list[Any | OvasabiError]":
        """Creates the entities; returns, for each, the entity or the error that refused it."""


class RejectSink(Protocol):
    """Receives the rejected lines."""

    def write(self, line: Line, refusal: OvasabiError) -> None:
        """Writes a rejected line."""

    def close(self) -> None:
        """Ends the output."""


class Importer:
    """Sends batches to a service in the context's campaign and reports to `progress`; `stop` ends it gracefully.

    `after_batch` is awaited after each processed batch. `since` is an id: an entity with a greater id and the key of a
    line was created by this import before it was interrupted. `explicit_keys` says that a field of the line is its key.
    """

    def __init__(
        self,
        service: EntityCreator,
        rejects: RejectSink,
        *,
        explicit_keys: bool = False,
        stop: asyncio.Event | None = None,
        in_flight: int = IN_FLIGHT,
        since: int | None = None,
        after_batch: Callable[[Tally], Awaitable[None]] | None = None,
    ) -> None:
        self.tally = Tally()
        self.progress: Callable[[Tally], None] = lambda tally: None
        self._service = service
        self._rejects = rejects
        self._explicit_keys = explicit_keys
        self._stop = stop or asyncio.Event()
        self._in_flight = in_flight
        self._since = since
        self._after_batch = after_batch

    @property
    def stopped(self) -> bool:
        """Whether a stop was requested."""
        return self._stop.is_set()

    async def run(self, batches: Iterator[Batch]) -> Tally:
        """Imports until the end or until stopped. The tally is correct even if an error ends the import."""
        return await self.run_async(self._read(batches))

    async def run_async(self, batches: AsyncIterator[Batch]) -> Tally:
        """Imports batches from an asynchronous iterator; otherwise like `run`."""
        sent: deque[asyncio.Task[list[bool | OvasabiError]]] = deque()
        waiting: deque[Batch] = deque()
        try:
            async for batch in batches:
                sent.append(asyncio.create_task(self._send(batch.rows)))
                waiting.append(batch)
                if len(sent) >= self._in_flight:
                    await self._record(waiting.popleft(), await sent.popleft())
            while sent:
                await self._record(waiting.popleft(), await sent.popleft())
        finally:
            for task in sent:
                task.cancel()
            await asyncio.gather(*sent, return_exceptions=True)
            self._rejects.close()
        return self.tally

    async def _record(self, batch: Batch, outcomes: "list[bool | OvasabiError]") -> None:
        """Adds a batch to the tally and writes its rejects in the order of the file."""
        refused = list(batch.refused)
        for row, outcome in zip(batch.rows, outcomes, strict=True):
            if isinstance(outcome, OvasabiError):
                refused.append((row.line, outcome))
            elif outcome:
                self.tally.created += 1
            else:
                self.tally.present += 1
        for line, error in sorted(refused, key=lambda item: item[0].number):
            self._rejects.write(line, error)
            self.tally.rejected += 1
        self.tally.end = batch.end
        self.progress(self.tally)
        if self._after_batch is not None:
            await self._after_batch(self.tally)

    async def _send(self, rows: list[Row]) -> "list[bool | OvasabiError]":
        """Returns, for each row, whether it was created (False if it already existed), or the error that refused it."""
        drafts = [row.draft for row in rows]
        ids = await self._ids_by_key(drafts)
        # A derived key determines the content, so a row with a used one exists. With explicit keys, only the service
        # can compare the content.
        to_create = [index for index, draft in enumerate(drafts) if self._explicit_keys or draft.key not in ids]
        outcomes: list[bool | OvasabiError] = [self._created_here(ids.get(str(draft.key))) for draft in drafts]
        created: set[int] = set()
        results = await self._create([drafts[index] for index in to_create])
        for index, result in zip(to_create, results, strict=True):
            if isinstance(result, OvasabiError):
                outcomes[index] = result
            else:
                outcomes[index] = drafts[index].key not in ids and result.id not in created
                created.add(result.id)
        return outcomes

    def _created_here(self, id: int | None) -> bool:
        """Returns whether this import created the entity before it was interrupted."""
        return id is not None and self._since is not None and id > self._since

    async def _ids_by_key(self, drafts: list[NewEntity]) -> dict[str, int]:
        """Returns the ids of the entities that were created under the keys before."""
        keys = [draft.key for draft in drafts]
        return dict(await self._retrying(lambda: self._service.ids_by_key(keys)))

    async def _create(self, drafts: list[NewEntity]) -> list[Entity | OvasabiError]:
        """Returns the service's results. Rows with transient errors are sent again, which their keys make safe."""
        results: dict[int, Entity | OvasabiError] = {}

        async def attempt() -> None:
            pending = [index for index in range(len(drafts)) if index not in results or _is_transient(results[index])]
            results.update(zip(pending, await self._create_or_split([drafts[index] for index in pending]), strict=True))
            for result in results.values():
                if isinstance(result, OvasabiError) and _is_transient(result):
                    raise result

        try:
            await self._retrying(attempt)
        except OvasabiError as error:
            if not error.transient:
                raise
            together = [index for index, result in results.items() if _is_rolled_back(result)]
            if len(together) > 1:
                results.update(zip(together, await self._apart([drafts[index] for index in together]), strict=True))
        refusals = [result for result in results.values() if isinstance(result, OvasabiError)]
        for refusal in refusals:
            # A lost lease or an unavailable database does not make the row invalid.
            if isinstance(refusal, LeaseLost) or refusal.kind.transient:
                raise refusal
        faults = [refusal for refusal in refusals if refusal.kind is Kind.INTERNAL]
        if faults and len(faults) == len(drafts) and (len(faults) > 1 or is_servers(faults[0].__cause__)):
            raise faults[0].__cause__ or faults[0]  # not the fault of any row
        return [results[index] for index in range(len(drafts))]

    async def _apart(self, drafts: list[NewEntity]) -> list[Entity | OvasabiError]:
        """Creates entities in halves, down to those at fault, whose common statement was rolled back again and again.

        Each statement is sent once: there was patience enough.
        """
        results: list[Entity | OvasabiError] = []
        middle = len(drafts) // 2
        for part in (drafts[:middle], drafts[middle:]) if len(drafts) > 1 else (drafts,):
            with left_to([transient]):
                found = await self._create_or_split(part)
            if len(part) > 1 and isinstance(found[0], OvasabiError) and all(each is found[0] for each in found):
                found = await self._apart(part)
            results += found
        return results

    async def _retrying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Retries transient errors until stopped. All of them may be retried here, since the rows have keys."""

        def retryable(error: Exception) -> bool:
            return transient(error) and not self._stop.is_set()

        return await retry(attempt, PATIENCE, on=retryable, deadline=deadline(), takes_over=True)

    async def _create_or_split(self, drafts: list[NewEntity]) -> list[Entity | OvasabiError]:
        """Creates the entities. Splits a statement that fails as a whole until the rows that fail are alone."""
        if not drafts:
            return []
        try:
            return await self._service.create_many(drafts)
        except OvasabiError as error:
            too_slow = error.kind is Kind.DEADLINE and len(drafts) > 1
            if not too_slow and (error.transient or (error.kind in _ROW_ERRORS and len(drafts) == 1)):
                return [error] * len(drafts)
            if isinstance(error, LeaseLost) or not (too_slow or error.kind in _ROW_ERRORS):
                raise
        middle = len(drafts) // 2
        return [*await self._create_or_split(drafts[:middle]), *await self._create_or_split(drafts[middle:])]

    async def _read(self, batches: Iterator[Batch]) -> AsyncIterator[Batch]:
        """Yields the batches, read in a daemon thread that is never joined, since standard input may block forever."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Batch | BaseException | None] = asyncio.Queue()
        room, ended = threading.Semaphore(1), threading.Event()

        def put(item: Batch | BaseException | None) -> None:
            # A coroutine scheduled here would be reported as never awaited if an error closes the loop first.
            room.acquire()
            if not ended.is_set():
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def read_all() -> None:
            with suppress(RuntimeError):  # the loop is closed
                try:
                    for batch in batches:
                        put(batch)
                        if ended.is_set():
                            return
                    put(None)
                except Exception as error:
                    put(error)

        threading.Thread(target=read_all, name="import-reader", daemon=True).start()
        stopped = asyncio.create_task(self._stop.wait())
        try:
            while not self._stop.is_set():
                item = asyncio.create_task(queue.get())
                await asyncio.wait((item, stopped), return_when=asyncio.FIRST_COMPLETED)
                batch = item.result() if item.done() else None
                room.release()
                if isinstance(batch, BaseException):
                    raise batch
                if batch is None:
                    item.cancel()
                    return
                yield batch
        finally:
            stopped.cancel()
            ended.set()
            room.release()


def type_named(plural: str) -> str:
    """Returns the entity type with this plural; raises `NotImportable` with a suggestion if there is none."""
    plurals = {of.plural: name for name, of in declared.items()}
    if plural not in plurals:
        near = nearest(plural, plurals, 0.5)
        hint = f"Did you mean {near}?" if near else f"Allowed: {', '.join(sorted(plurals))}."
        raise NotImportable(problem=f"{plural!r} is not an entity type.", hint=hint)
    return plurals[plural]


def _is_rolled_back(result: Entity | OvasabiError) -> bool:
    """Returns whether PostgreSQL rolled a row's statement back because of concurrent changes, maybe of other rows."""
    return isinstance(result, OvasabiError) and isinstance(result.__cause__, ROLLED_BACK)


def _is_transient(result: Entity | OvasabiError) -> bool:
    return isinstance(result, OvasabiError) and result.transient
