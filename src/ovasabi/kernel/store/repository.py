"""The repository of an entity type: every write is one statement that also writes the registry and the event."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.retry import CONTENTION, retry
from ovasabi.errors import OvasabiError
from ovasabi.kernel.batching.batcher import Batcher, Limits, mergeable
from ovasabi.kernel.batching.isolation import isolating
from ovasabi.kernel.batching.single_flight import SingleFlight
from ovasabi.kernel.call.context import current_campaign, deadline, in_campaign
from ovasabi.kernel.call.errors import Contended, EntityNotFound, KeyReused, VersionConflict
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import atomically, read
from ovasabi.kernel.call.verb import running_verb
from ovasabi.kernel.declare.counters import Counter, parent_deleted, why_uncounted
from ovasabi.kernel.declare.entity import Entity, Scope, declared, type_of
from ovasabi.kernel.declare.ids import MAX_ID, id_time, parse_reference
from ovasabi.kernel.statements import creating
from ovasabi.kernel.statements.writing import Statements
from ovasabi.kernel.store.history import created_state, request_of
from ovasabi.kernel.store.row_codec import Codec
from ovasabi.kernel.store.rows import Change, ChangedRow, NewEntity, NewRow
from ovasabi.kernel.store.writer import Kind, Result, Writer

E = TypeVar("E", bound=Entity)
RowKey = tuple[int, int]
"""The number of a campaign and the id of a row in it."""
PARENTS_AT_ONCE = 16
"""The most parents that are read at a time to tell why they did not count a row: each can be large."""
CAMPAIGNS_PER_LOOKUP = 16
"""The most campaigns in a statement that looks rows up: each may have its own partitions, which add planning time."""


class Repository(Generic[E]):
    """Reads and writes the entities of one type, always in the campaign of the current context.

    Concurrent calls for a single entity share statements, even across campaigns: see `Batcher`. Calls for several
    entities (`_many`), and calls within a transaction or under a lease, have their own statements.
    """

    def __init__(self, database: Database, cls: type[E], limits: Limits | None = None) -> None:
        self.database = database
        self.cls = cls
        self.of = type_of(cls)
        self.sql = Statements(self.of)
        self.codec = Codec(cls, database.secret_keys)
        self.single_flight = SingleFlight()
        self._writer = Writer(database, self.sql)
        limits = limits or Limits(patience_seconds=database.timeout)
        self._lookup_limits = msgspec.structs.replace(limits, campaigns=CAMPAIGNS_PER_LOOKUP)
        # A create that is counted looks its parent up.
        creating = limits if self.of.counter is None else self._lookup_limits
        self._creates: Batcher[NewRow, Result] = Batcher(self._writer.create_unlocked, creating, self._writer.later_on)
        self._reads: Batcher[RowKey, Row | None] = Batcher(self._read, self._lookup_limits)
        self._changes: dict[str, Batcher[ChangedRow, Result]] = {}

    # -- writes

    async def create(
        self, values: Mapping[str, Any], *, key: str | None = None, number: int | None = None, verb: str = "create"
    ) -> E:
        """Creates one entity. Repeating a request with the same client `key` returns the entity created first."""
        campaign = current_campaign()
        if self.of.scope is Scope.ROOT:
            campaign = _given(number)
        row, complete = await self.codec.new_row(values, key, campaign, verb)
        (result,) = await self._write([row], self._merged if mergeable() else self._writer.create)
        return _or_raise(await self._created(result, row, complete))

    async def created_before(self, values: Mapping[str, Any], key: str) -> E | None:
        """Returns the entity as the same request with a client key created it, if there has been one."""
        if self.of.scope is Scope.ROOT:  # the key of a campaign is one of its own, which only the directory knows
            return None
        try:
            row, complete = await self.codec.new_row(values, key, current_campaign(), "create")
        except OvasabiError:
            return None
        return await self._repeated(row, complete)

    async def create_many(self, drafts: Sequence[NewEntity], *, verb: str = "create") -> list[E | OvasabiError]:
        """Creates entities in one statement; returns them in order, with an error instead of each that was refused."""
        root, current = self.of.scope is Scope.ROOT, current_campaign()
        campaigns = [_given(draft.number) if root else current for draft in drafts]
        ready: list[tuple[NewRow, dict[str, Any]] | OvasabiError] = []
        for draft, campaign in zip(drafts, campaigns, strict=True):
            try:
                ready.append(await self.codec.new_row(draft.values, draft.key, campaign, verb))
            except OvasabiError as error:
                ready.append(error)
        rows = [row[0] for row in ready if not isinstance(row, OvasabiError)]
        results = iter(await self._write(rows, self._writer.create) if rows else [])
        return [row if isinstance(row, OvasabiError) else await self._created(next(results), *row) for row in ready]

    async def update(
        self, id: int, values: Mapping[str, Any], *, expected_version: int | None = None, verb: str = "update"
    ) -> E:
        """Sets some fields of one entity. With `expected_version`, raises VersionConflict if it has another version."""
        return await self._change("update", Change(id, values, expected_version), verb)

    async def update_many(self, changes: Sequence[Change], *, verb: str = "update") -> list[E | OvasabiError]:
        """Like `update`, for several entities in one statement; returns an error instead of each that was refused."""
        campaign = current_campaign()
        rows = [await self.codec.changed_row(change, campaign, verb) for change in changes]
        results = await self._writer.change("update", rows)
        return [await self._changed(result, change) for result, change in zip(results, changes, strict=True)]

    async def adjust(self, id: int, amounts: Mapping[str, Any], *, verb: str | None = None) -> E:
        """Adds to counters without reading them first, so it is safe under concurrency. The version does not change.

        Logs the event of a verb, by default of the running one.
        """
        return await self._change("adjust", Change(id, amounts), verb or running_verb())

    async def delete(self, id: int, *, expected_version: int | None = None, verb: str = "delete") -> E:
        """Soft-deletes one entity: a tombstone and its history remain, and its natural keys can be used again."""
        change = Change(id, {}, expected_version)
        return await self._counted(-1, lambda: self._change("delete", change, verb))

    async def restore(self, id: int, *, verb: str = "restore") -> E:
        """Undoes the delete of an entity. Raises KeyTaken if a natural key was taken meanwhile."""
        return await self._counted(1, lambda: self._change("restore", Change(id), verb))

    # -- reads

    async def get(self, reference: int | str | UUID) -> E:
        """Returns one entity by id or uuid."""
        id, uuid = self.resolve(reference)
        key = (current_campaign(), id)
        row = await self._reads.call(key, campaign=key[0]) if mergeable() else (await self._read_once([key]))[0]
        if row is None or (uuid is not None and row["uuid"] != uuid):
            raise EntityNotFound(type=self.of.name, reference=reference)
        return self.codec.entity(row)

    async def get_many(self, ids: Sequence[int]) -> dict[int, E]:
        """Returns the existing entities by id; missing ones are omitted."""
        campaign = current_campaign()
        keys = [(campaign, id) for id in ids if 0 < id <= MAX_ID]
        if len(keys) == 1 and mergeable():
            rows = [await self._reads.call(keys[0], campaign=campaign)]
        else:
            rows = await self._read_once(keys) if keys else []
        return {row["id"]: self.codec.entity(row) for row in rows if row is not None}

    async def secret(self, id: int) -> dict[str, str]:
        """Returns the sealed fields of one entity, for verification only; they must never be shown."""
        campaign = current_campaign()
        rows = await read(self.database, self.sql.secrets, scope_of(campaign), [campaign], [id_time(id)], [id])
        if not rows:
            raise EntityNotFound(type=self.of.name, reference=id)
        return dict(rows[0])

    def resolve(self, reference: int | str | UUID) -> tuple[int, UUID | None]:
        """Returns the id of a reference, and the uuid to compare with the row's if the reference is a uuid."""
        parsed = parse_reference(str(reference))
        if parsed is None:
            raise EntityNotFound(type=self.of.name, reference=reference)
        return parsed

    # -- implementation

    async def _merged(self, rows: Sequence[NewRow]) -> list[Result]:
        (row,) = rows
        try:
            return [await self._creates.call(row, campaign=row.campaign, size=len(row.data))]
        except KeyReused as error:
            return [error]  # unless the request was received by an earlier version: see `_created`

    async def _write(
        self, rows: Sequence[NewRow], write: Callable[[Sequence[NewRow]], Awaitable[list[Result]]]
    ) -> list[Result]:
        """Creates rows. Tries those again that their parent did not count at the time, but accepts by now."""
        if self.of.counter is None:
            return await write(rows)
        results: dict[int, Result] = {}
        changed = Contended()

        async def attempt() -> None:
            waiting = [index for index in range(len(rows)) if index not in results]
            part = [rows[index] for index in waiting]
            for index, result in zip(waiting, await self._counted_or_refused(await write(part), part), strict=True):
                if result is not None:
                    results[index] = result
            if len(results) < len(rows):
                raise changed

        try:
            await retry(attempt, CONTENTION, on=lambda error: error is changed, deadline=deadline())
        except Contended as error:
            if error is not changed:
                raise
        return [results.get(index, changed) for index in range(len(rows))]

    async def _read(self, keys: list[RowKey]) -> list[Row | Exception | None]:
        """Returns the row of each key, or the error that only this key has."""
        return await isolating(keys, self._read_once)

    async def _read_once(self, keys: list[RowKey]) -> list[Row | None]:
        """Reads the rows of some keys in one statement; each is looked up in its own campaign only."""
        ordered = sorted(set(keys), key=lambda key: key[1])
        campaigns, ids = [campaign for campaign, _ in ordered], [id for _, id in ordered]
        rows = await read(
            self.database, self.sql.get, scope_of(*campaigns), campaigns, [id_time(id) for id in ids], ids
        )
        # The row of a campaign belongs to the campaign itself; if the platform requested it, its key has the platform.
        found = {(row["_asked_by"], row["id"]): row for row in rows}
        return [found.get(key) for key in keys]

    async def _change(self, kind: Kind, change: Change, verb: str) -> E:
        campaign = current_campaign()
        self.resolve(change.id)  # refuses an invalid id before it could make a shared statement fail
        row = await self.codec.changed_row(change, campaign, verb, adds=kind == "adjust")
        if mergeable():
            result = await self._batcher(kind).call(
                row, campaign=campaign, size=len(row.data), target=(campaign, change.id)
            )
        else:
            (result,) = await self._writer.change(kind, [row])
        return _or_raise(await self._changed(result, change))

    def _batcher(self, kind: Kind) -> Batcher[ChangedRow, Result]:
        if kind not in self._changes:
            self._changes[kind] = Batcher(
                lambda rows: self._writer.change_in_order(kind, rows), self._lookup_limits, self._writer.later_on
            )
        return self._changes[kind]

    async def _counted(self, amount: int, write: Callable[[], Awaitable[E]]) -> E:
        """Runs a write that changes the number of entities; if a parent counts them, updates its count atomically.

        The count is written last: its row lock, which serializes all writers of one parent, is held for only one round
        trip, and the parent that it returns is in its final state of the transaction.
        """
        counter = self.of.counter
        if counter is None:
            return await write()

        async def both() -> E:
            child = await write()
            parent = getattr(child, counter.reference.name)
            if parent is not None:
                await self._count(counter, parent, amount)
            return child

        return await atomically(self.database, both)

    async def _count(self, counter: Counter, id: int, amount: int) -> None:
        try:
            amounts = {counter.field.name: amount}
            parent = await self._parents.adjust(id, amounts, verb=f"count_{self.of.plural}")
        except EntityNotFound:
            raise parent_deleted(self.of.name, counter) from None
        if amount > 0 and (refusal := counter.refuse(parent)) is not None:
            raise refusal

    async def _counted_or_refused(self, results: Sequence[Result], rows: Sequence[NewRow]) -> list[Result | None]:
        """Replaces the results of rows that were not counted by why, which is None if their parent accepts them now."""
        uncounted = {
            row.parent
            for result, row in zip(results, rows, strict=True)
            if not isinstance(result, OvasabiError) and result["_verdict"] == creating.UNCOUNTED
        }
        if not uncounted or self.of.counter is None:
            return list(results)
        ids, why = sorted(id for id in uncounted if id is not None), dict[int, OvasabiError | None]()
        for first in range(0, len(ids), PARENTS_AT_ONCE):
            part = ids[first : first + PARENTS_AT_ONCE]
            parents = await self._parents.get_many(part)
            why |= {id: why_uncounted(self.of.counter, parents.get(id)) for id in part}
        return [
            result
            if isinstance(result, OvasabiError) or result["_verdict"] != creating.UNCOUNTED
            else why.get(row.parent or 0, why_uncounted(self.of.counter, None))
            for result, row in zip(results, rows, strict=True)
        ]

    @cached_property
    def _parents(self) -> "Repository[Any]":
        """The repository of the parents that count these entities."""
        assert self.of.counter is not None
        return Repository(self.database, declared[self.of.counter.parent].cls)

    async def _created(self, result: Result, row: NewRow, values: dict[str, Any]) -> E | OvasabiError:
        if isinstance(result, OvasabiError):
            return await self._repeated(row, values) or result if isinstance(result, KeyReused) else result
        if result["_verdict"] == creating.REPLAYED:
            return await self._created_first(row)
        return self.codec.created(result["id"], result["uuid"], row.campaign, values)

    async def _repeated(self, row: NewRow, values: dict[str, Any]) -> E | None:
        """Returns the entity of a repeated request, also if an earlier version received it, and made another digest."""
        with in_campaign(row.campaign):
            request = await request_of(self.database, str(row.key))
        if request is None or not self.codec.repeats(values, request["digest"]):
            return None
        return await self._created_first(row)

    async def _created_first(self, row: NewRow) -> E:
        with in_campaign(row.campaign):  # that of a new campaign is its own
            return await created_state(self.database, self.cls, str(row.key))

    async def _changed(self, result: Result, change: Change) -> E | OvasabiError:
        if isinstance(result, OvasabiError):
            return result
        return self.codec.entity(result) if result["id"] is not None else await self._why_unchanged(change)

    async def _why_unchanged(self, change: Change) -> OvasabiError:
        """Returns the error for a row that was not changed: it does not exist, or has another version."""
        found = (await self.get_many([change.id])).get(change.id)
        if found is None or change.expected_version in (None, found.version):
            return EntityNotFound(type=self.of.name, reference=change.id)
        return VersionConflict(
            type=self.of.name, reference=change.id, version=found.version, expected=change.expected_version
        )


def _given(number: int | None) -> int:
    if number is None:
        raise TypeError("a campaign is created with the number of its entry in the directory")
    return number


def _or_raise(result: E | OvasabiError) -> E:
    if isinstance(result, OvasabiError):
        raise result
    return result
