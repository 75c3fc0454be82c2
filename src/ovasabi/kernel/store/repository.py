"""The repository of an entity: every write is one statement that also writes registry and event."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.sql import load
from ovasabi.errors import OvasabiError
from ovasabi.kernel.batching.batcher import Batcher, Limits, mergeable
from ovasabi.kernel.batching.single_flight import SingleFlight
from ovasabi.kernel.call.context import current_campaign
from ovasabi.kernel.call.errors import EntityNotFound, VersionConflict
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import atomically, read
from ovasabi.kernel.call.verb import running_verb
from ovasabi.kernel.declare.counters import Counter
from ovasabi.kernel.declare.entity import Entity, Scope, declared, type_of
from ovasabi.kernel.declare.ids import MAX_ID, id_time, parse_reference
from ovasabi.kernel.statements import creating
from ovasabi.kernel.statements.writing import Statements
from ovasabi.kernel.store.counters import why_uncounted
from ovasabi.kernel.store.history import created_state
from ovasabi.kernel.store.row_codec import Codec
from ovasabi.kernel.store.rows import Change, ChangedRow, NewEntity, NewRow
from ovasabi.kernel.store.writer import Answer, Kind, Writer

_SQL = load(__file__)
E = TypeVar("E", bound=Entity)
Place = tuple[int, int]
"""A campaign's number and an id in it."""
CAMPAIGNS = 16
"""Of so many campaigns is a statement that looks rows up: each may have partitions of its own, which are planned."""


class Repository(Generic[E]):
    """Reads and writes the entities of one type, always in the campaign of the running context.

    Single calls that run at the same time share statements, whatever their campaigns: see `Batcher`. Those of many rows
    (`_many`), and those within a transaction or under a lease, have theirs for themselves.
    """

    def __init__(self, database: Database, cls: type[E], limits: Limits | None = None) -> None:
        self.database = database
        self.cls = cls
        self.of = type_of(cls)
        self.sql = Statements(self.of)
        self.codec = Codec(cls)
        self.single_flight = SingleFlight()
        self._writer = Writer(database, self.sql)
        limits = limits or Limits(patience_seconds=database.timeout)
        self._looking_up = msgspec.structs.replace(limits, campaigns=CAMPAIGNS)
        # A create that counts looks parents up.
        creating = limits if self.of.counter is None else self._looking_up
        self._creates: Batcher[NewRow, Answer] = Batcher(self._writer.create, creating)
        self._reads: Batcher[Place, Row | None] = Batcher(self._read, self._looking_up)
        self._changes: dict[str, Batcher[ChangedRow, Answer]] = {}

    # -- writes

    async def create(
        self, values: Mapping[str, Any], *, key: str | None = None, number: int | None = None, verb: str = "create"
    ) -> E:
        """Creates one entity. With a client `key`, the same request again has the same answer."""
        campaign = current_campaign()
        if self.of.scope is Scope.ROOT:
            campaign = await self.reserve_number() if number is None else number
        row, complete = await self.codec.new_row(values, key, campaign, verb)
        if mergeable():
            answer = await self._creates.call(row, campaign=campaign, size=len(row.data))
        else:
            (answer,) = await self._writer.create([row])
        return _raised(await self._created(answer, row, complete, await self._uncounted([answer], [row])))

    async def create_many(self, drafts: Sequence[NewEntity], *, verb: str = "create") -> list[E | OvasabiError]:
        """Creates N entities in one statement; answers in order, an error in the place of each row that was refused."""
        campaigns = [current_campaign()] * len(drafts)
        if self.of.scope is Scope.ROOT:
            drawn = iter(await self._drawn(sum(draft.number is None for draft in drafts)))
            campaigns = [next(drawn) if draft.number is None else draft.number for draft in drafts]
        ready: list[tuple[NewRow, dict[str, Any]] | OvasabiError] = []
        for draft, campaign in zip(drafts, campaigns, strict=True):
            try:
                ready.append(await self.codec.new_row(draft.values, draft.key, campaign, verb))
            except OvasabiError as error:
                ready.append(error)
        rows = [row[0] for row in ready if not isinstance(row, OvasabiError)]
        written = await self._writer.create(rows) if rows else []
        parents, answers = await self._uncounted(written, rows), iter(written)
        return [
            row if isinstance(row, OvasabiError) else await self._created(next(answers), *row, parents) for row in ready
        ]

    async def update(
        self, id: int, values: Mapping[str, Any], *, expected_version: int | None = None, verb: str = "update"
    ) -> E:
        """Sets some fields of one entity; with `expected_version`, only if it is still at that version."""
        return await self._change("update", Change(id, values, expected_version), verb)

    async def update_many(self, changes: Sequence[Change], *, verb: str = "update") -> list[E | OvasabiError]:
        """As `update`, N rows in one statement."""
        campaign = current_campaign()
        rows = [await self.codec.changed_row(change, campaign, verb) for change in changes]
        answers = await self._writer.change("update", rows)
        return [await self._changed(answer, change) for answer, change in zip(answers, changes, strict=True)]

    async def adjust(self, id: int, amounts: Mapping[str, Any], *, verb: str | None = None) -> E:
        """Adds to counters without reading them first: right under concurrency. The version stays.

        Logs the event of a verb, by default the one that is running.
        """
        return await self._change("adjust", Change(id, amounts), verb or running_verb())

    async def delete(self, id: int, *, expected_version: int | None = None, verb: str = "delete") -> E:
        """Deletes one entity, softly: a tombstone and its history stay, its natural keys are free again."""
        change = Change(id, {}, expected_version)
        return await self._counted(-1, lambda: self._change("delete", change, verb))

    async def restore(self, id: int, *, verb: str = "restore") -> E:
        """Takes a delete back, if its natural keys are still free."""
        return await self._counted(1, lambda: self._change("restore", Change(id), verb))

    # -- reads

    async def get(self, reference: int | str | UUID) -> E:
        """One entity by id or uuid."""
        id, wanted = self.resolve(reference)
        place = (current_campaign(), id)
        row = await self._reads.call(place, campaign=place[0]) if mergeable() else (await self._read([place]))[0]
        if row is None or (wanted is not None and row["uuid"] != wanted):
            raise EntityNotFound(type=self.of.name, reference=reference)
        return self.codec.entity(row)

    async def get_many(self, ids: Sequence[int]) -> dict[int, E]:
        """Those of the entities that are there, by id."""
        campaign = current_campaign()
        places = [(campaign, id) for id in ids if 0 < id <= MAX_ID]
        if len(places) == 1 and mergeable():
            rows = [await self._reads.call(places[0], campaign=campaign)]
        else:
            rows = await self._read(places) if places else []
        return {row["id"]: self.codec.entity(row) for row in rows if row is not None}

    async def secret(self, id: int) -> dict[str, str]:
        """The sealed fields of one entity, to check against; never to be shown."""
        campaign = current_campaign()
        rows = await read(self.database, self.sql.secrets, scope_of(campaign), [campaign], [id_time(id)], [id])
        if not rows:
            raise EntityNotFound(type=self.of.name, reference=id)
        return dict(rows[0])

    def resolve(self, reference: int | str | UUID) -> tuple[int, UUID | None]:
        """The id that a reference names, and the uuid to hold it against if it was one."""
        parsed = parse_reference(str(reference))
        if parsed is None:
            raise EntityNotFound(type=self.of.name, reference=reference)
        return parsed

    async def reserve_number(self) -> int:
        """A campaign number for a row that is still to be created: small, sequential, never used again."""
        return (await self._drawn(1))[0]

    # -- how

    async def _read(self, places: list[Place]) -> list[Row | None]:
        """The rows at some places, one statement; each is looked for in its own campaign only."""
        ordered = sorted(set(places), key=lambda place: place[1])
        campaigns, ids = [campaign for campaign, _ in ordered], [id for _, id in ordered]
        rows = await read(
            self.database, self.sql.get, scope_of(*campaigns), campaigns, [id_time(id) for id in ids], ids
        )
        # The platform's look at a campaign, which is a row of its own campaign, is answered under the platform.
        found = {(row["_asked_by"], row["id"]): row for row in rows}
        return [found.get(place) for place in places]

    async def _change(self, kind: Kind, change: Change, verb: str) -> E:
        campaign = current_campaign()
        self.resolve(change.id)  # what cannot be an id is refused here, and not with all of a statement
        row = await self.codec.changed_row(change, campaign, verb, adds=kind == "adjust")
        if mergeable():
            answer = await self._batcher(kind).call(
                row, campaign=campaign, size=len(row.data), target=(campaign, change.id)
            )
        else:
            (answer,) = await self._writer.change(kind, [row])
        return _raised(await self._changed(answer, change))

    def _batcher(self, kind: Kind) -> Batcher[ChangedRow, Answer]:
        if kind not in self._changes:
            self._changes[kind] = Batcher(lambda rows: self._writer.change(kind, rows), self._looking_up)
        return self._changes[kind]

    async def _counted(self, amount: int, write: Callable[[], Awaitable[E]]) -> E:
        """A write that changes how many there are; with the count of its parent, if one counts it, as one.

        The count is written last: its row lock, which orders all writers of one parent, is held for one round trip, and
        the parent that it answers is the parent as it will be when the transaction ends.
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
            raise why_uncounted(self.of.name, counter, None) from None
        if amount > 0 and (refusal := counter.refuse(parent)) is not None:
            raise refusal

    async def _uncounted(self, answers: Sequence[Answer], rows: Sequence[NewRow]) -> dict[int, Any]:
        """The parents that are there of the rows that were not written since they could not be counted."""
        pairs = [(answer, row.parent) for answer, row in zip(answers, rows, strict=True) if row.parent is not None]
        ids = {
            id
            for answer, id in pairs
            if not isinstance(answer, OvasabiError) and answer["_verdict"] == creating.UNCOUNTED
        }
        return await self._parents.get_many(sorted(ids)) if ids else {}

    @cached_property
    def _parents(self) -> "Repository[Any]":
        """Of what counts these."""
        assert self.of.counter is not None
        return Repository(self.database, declared[self.of.counter.parent].cls)

    async def _created(
        self, answer: Answer, row: NewRow, values: dict[str, Any], parents: Mapping[int, Any]
    ) -> E | OvasabiError:
        if isinstance(answer, OvasabiError):
            return answer
        if answer["_verdict"] == creating.UNCOUNTED and self.of.counter is not None:
            return why_uncounted(self.of.name, self.of.counter, parents.get(row.parent or 0))
        if answer["_verdict"] == creating.REPLAYED:
            return await created_state(self.database, self.cls, str(row.key))
        return self.codec.created(answer["id"], answer["uuid"], row.campaign, values)

    async def _changed(self, answer: Answer, change: Change) -> E | OvasabiError:
        if isinstance(answer, OvasabiError):
            return answer
        return self.codec.entity(answer) if answer["id"] is not None else await self._why_not(change)

    async def _why_not(self, change: Change) -> OvasabiError:
        """Why a row was not changed: it is not there, or at another version."""
        found = (await self.get_many([change.id])).get(change.id)
        if found is None or change.expected_version in (None, found.version):
            return EntityNotFound(type=self.of.name, reference=change.id)
        return VersionConflict(
            type=self.of.name, reference=change.id, version=found.version, expected=change.expected_version
        )

    async def _drawn(self, count: int) -> list[int]:
        rows = await self.database.write(_SQL["draw_numbers"], count)
        return [row[0] for row in rows]


def _raised(answer: E | OvasabiError) -> E:
    if isinstance(answer, OvasabiError):
        raise answer
    return answer
