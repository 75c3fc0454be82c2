"""Imports: lines of a file through the same create as any other, in batches, safe to break off and run again."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar

import msgspec

from ovasabi.database.connection import Database
from ovasabi.database.failures import transient
from ovasabi.database.retry import Policy, retry
from ovasabi.database.sql import load
from ovasabi.errors import Kind, OvasabiError
from ovasabi.kernel.call.context import current_campaign, deadline
from ovasabi.kernel.call.errors import LeaseLost
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import Entity, declared
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.kernel.transfer.batches import Batch, Row
from ovasabi.kernel.transfer.lines import Line, NotImportable

T = TypeVar("T")
IN_FLIGHT = 3
"""Batches on their way to the database at a time; with those being read, all that is ever in memory."""
PATIENCE = Policy(first=0.2, longest=10.0, seconds=45.0)
"""How long it is tried while the database does not answer: a restart passes unnoticed."""

_ONE_BY_ONE = (Kind.INVALID, Kind.PRECONDITION, Kind.CONFLICT, Kind.EXISTS, Kind.NOT_FOUND)
_SQL = load(__file__)


class Tally(msgspec.Struct):
    """What became of the lines so far; `end` is how many bytes of the file that were."""

    created: int = 0
    present: int = 0
    rejected: int = 0
    end: int = 0

    @property
    def lines(self) -> int:
        """All that were dealt with."""
        return self.created + self.present + self.rejected


class Creating(Protocol):
    """What takes new entities, many at a time: the service of their type."""

    database: Database

    async def create_many(self, drafts: Sequence[NewEntity]) -> "list[Any | OvasabiError]":
        """Creates them; an error in the place of each that was refused."""


class Refused(Protocol):
    """Where the lines that are refused go."""

    def write(self, line: Line, refusal: OvasabiError) -> None:
        """Takes one of them."""

    def close(self) -> None:
        """There are no more."""


class Importer:
    """Sends batches to a service in the context's campaign, and tells `progress`; `stop` ends it soon, and orderly.

    `settled` is awaited after each batch that is dealt with. `since` is an id: what was made later under a line's own
    key was made by this import, before it was broken off.
    """

    def __init__(
        self,
        service: Creating,
        rejects: Refused,
        *,
        given_keys: bool = False,
        stop: asyncio.Event | None = None,
        in_flight: int = IN_FLIGHT,
        since: int | None = None,
        settled: Callable[[Tally], Awaitable[None]] | None = None,
    ) -> None:
        self.tally = Tally()
        self.progress: Callable[[Tally], None] = lambda tally: None
        self._service = service
        self._rejects = rejects
        self._given_keys = given_keys
        self._stop = stop or asyncio.Event()
        self._in_flight = in_flight
        self._since = since
        self._settled = settled

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    async def run(self, batches: Iterator[Batch]) -> Tally:
        """Imports until the end, or until told to stop. The tally is right even where an error ends it."""
        return await self.run_through(self._read(batches))

    async def run_through(self, batches: AsyncIterator[Batch]) -> Tally:
        """As `run`, of batches that are waited for."""
        sent: deque[asyncio.Task[list[bool | OvasabiError]]] = deque()
        waiting: deque[Batch] = deque()
        try:
            async for batch in batches:
                sent.append(asyncio.create_task(self._send(batch.rows)))
                waiting.append(batch)
                if len(sent) >= self._in_flight:
                    await self._settle(waiting.popleft(), await sent.popleft())
            while sent:
                await self._settle(waiting.popleft(), await sent.popleft())
        finally:
            for task in sent:
                task.cancel()
            await asyncio.gather(*sent, return_exceptions=True)
            self._rejects.close()
        return self.tally

    async def _settle(self, batch: Batch, answers: "list[bool | OvasabiError]") -> None:
        """Counts a batch, in the order of the file, and writes its rejects."""
        refused = list(batch.refused)
        for row, answer in zip(batch.rows, answers, strict=True):
            if isinstance(answer, OvasabiError):
                refused.append((row.line, answer))
            elif answer:
                self.tally.created += 1
            else:
                self.tally.present += 1
        for line, error in sorted(refused, key=lambda one: one[0].number):
            self._rejects.write(line, error)
            self.tally.rejected += 1
        self.tally.end = batch.end
        self.progress(self.tally)
        if self._settled is not None:
            await self._settled(self.tally)

    async def _send(self, rows: list[Row]) -> "list[bool | OvasabiError]":
        """For each row: whether it was created (else it was there already), or why it was refused."""
        drafts = [row.draft for row in rows]
        known = await self._known(drafts)
        # A derived key says what the row holds, so a known one is in; of a given key, the service compares the content.
        fresh = [place for place, draft in enumerate(drafts) if self._given_keys or draft.key not in known]
        answers: list[bool | OvasabiError] = [self._by_us(known.get(str(draft.key))) for draft in drafts]
        seen: set[int] = set()
        for place, answer in zip(fresh, await self._created([drafts[place] for place in fresh]), strict=True):
            if isinstance(answer, OvasabiError):
                answers[place] = answer
            else:
                answers[place] = drafts[place].key not in known and answer.id not in seen
                seen.add(answer.id)
        return answers

    def _by_us(self, id: int | None) -> bool:
        return id is not None and self._since is not None and id > self._since

    async def _known(self, drafts: list[NewEntity]) -> dict[str, int]:
        """Which of the keys were used before, and for what."""
        campaign, keys = current_campaign(), [draft.key for draft in drafts]
        database = self._service.database
        rows = await self._patiently(lambda: read(database, _SQL["known"], scope_of(campaign), campaign, keys))
        return {row["key"]: row["master_id"] for row in rows}

    async def _created(self, drafts: list[NewEntity]) -> list[Entity | OvasabiError]:
        """The service's answers; rows that only time stands against are tried again, and their keys make that safe."""
        answers: dict[int, Entity | OvasabiError] = {}

        async def attempt() -> None:
            again = [place for place in range(len(drafts)) if place not in answers or _passes(answers[place])]
            answers.update(zip(again, await self._halving([drafts[place] for place in again]), strict=True))
            for answer in answers.values():
                if isinstance(answer, OvasabiError) and _passes(answer):
                    raise answer

        try:
            await self._patiently(attempt)
        except OvasabiError as error:
            if not error.transient:
                raise
        for answer in answers.values():
            # A lease that was lost, or a database that is away, is no fault of the row.
            if isinstance(answer, LeaseLost) or (isinstance(answer, OvasabiError) and answer.kind.transient):
                raise answer
        return [answers[place] for place in range(len(drafts))]

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The keys of the rows make it safe to send them again, so all that time may mend is tried again from here."""

        def passes(error: Exception) -> bool:
            return transient(error) and not self._stop.is_set()

        return await retry(attempt, PATIENCE, on=passes, deadline=deadline(), takes_over=True)

    async def _halving(self, drafts: list[NewEntity]) -> list[Entity | OvasabiError]:
        """A statement that fails as a whole is made of halves, until the rows that it fails for are alone."""
        if not drafts:
            return []
        try:
            return await self._service.create_many(drafts)
        except OvasabiError as error:
            too_slow = error.kind is Kind.DEADLINE and len(drafts) > 1
            if not too_slow and (error.transient or (error.kind in _ONE_BY_ONE and len(drafts) == 1)):
                return [error] * len(drafts)
            if isinstance(error, LeaseLost) or not (too_slow or error.kind in _ONE_BY_ONE):
                raise
        middle = len(drafts) // 2
        return [*await self._halving(drafts[:middle]), *await self._halving(drafts[middle:])]

    async def _read(self, batches: Iterator[Batch]) -> AsyncIterator[Batch]:
        """The batches, read in a thread that nobody waits for, since standard input may never answer."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Batch | BaseException | None] = asyncio.Queue()
        room, ended = threading.Semaphore(1), threading.Event()

        def put(item: Batch | BaseException | None) -> None:
            # A coroutine for the loop to run would be reported as never awaited if an error closes the loop first.
            room.acquire()
            if not ended.is_set():
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def read_all() -> None:
            with suppress(RuntimeError):  # the loop is gone: nobody listens
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
    """The entity type with a plural; NotImportable with what was probably meant."""
    plurals = {of.plural: name for name, of in declared.items()}
    if plural not in plurals:
        near = get_close_matches(plural, plurals, 1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"Allowed: {', '.join(sorted(plurals))}."
        raise NotImportable(problem=f"{plural!r} is not an entity type.", hint=hint)
    return plurals[plural]


def _passes(answer: Entity | OvasabiError) -> bool:
    return isinstance(answer, OvasabiError) and answer.transient
