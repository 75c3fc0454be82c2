"""The repository of an entity: every write is one statement that also writes registry and event."""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

import asyncpg
import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.errors import OvasabiError
from ovasabi.kernel import statements
from ovasabi.kernel.context import current, current_campaign
from ovasabi.kernel.entity import Entity, Scope, declared, type_of
from ovasabi.kernel.errors import (
    Contended,
    EntityNotFound,
    InvalidValue,
    KeyReused,
    KeyTaken,
    ReferenceMissing,
    VersionConflict,
    from_postgres,
)
from ovasabi.kernel.fields import Bounds, Numeric, Reference, Secret
from ovasabi.kernel.history import created_state
from ovasabi.kernel.ids import id_time, parse_reference
from ovasabi.kernel.metadata import check_metadata, derived
from ovasabi.kernel.rows import Change, Draft, NewRow
from ovasabi.kernel.statements import Statements
from ovasabi.kernel.work import in_transaction, read, scope_of, write

E = TypeVar("E", bound=Entity)
ATTEMPTS = 5
OF_ONE_ROW = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""Errors that one row causes: its neighbours in the statement are written without it."""
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class Repository(Generic[E]):
    """Reads and writes the entities of one type, always in the campaign of the running context."""

    def __init__(self, database: Database, cls: type[E]) -> None:
        self.database = database
        self.cls = cls
        self.of = type_of(cls)
        self.sql = Statements(self.of)

    # -- writes

    async def create(
        self, values: Mapping[str, Any], *, key: str | None = None, number: int | None = None, verb: str = "create"
    ) -> E:
        """Creates one entity. With a client `key`, the same request again has the same answer."""
        return _only(await self.create_many([Draft(values, key, number)], verb=verb))

    async def create_many(self, drafts: Sequence[Draft], *, verb: str = "create") -> list[E | OvasabiError]:
        """Creates N entities in one statement; answers in order, an error in the place of each row that was refused."""
        campaign = current_campaign()
        answers: list[E | OvasabiError | None] = [None] * len(drafts)
        rows: dict[int, NewRow] = {}
        for position, draft in enumerate(drafts):
            try:
                rows[position] = await self._row(draft)
            except OvasabiError as error:
                answers[position] = error
        numbers = await self._numbers(drafts) if self.of.scope is Scope.ROOT else [campaign] * len(drafts)
        for _ in range(ATTEMPTS):
            if not rows:
                break
            for position, answer in (await self._create_once(rows, numbers, verb)).items():
                answers[position] = answer
                del rows[position]
        return [answer if answer is not None else Contended() for answer in answers]

    async def update(
        self, id: int, values: Mapping[str, Any], *, expected_version: int | None = None, verb: str = "update"
    ) -> E:
        """Sets some fields of one entity; with `expected_version`, only if it is still at that version."""
        change = Change(id, values, expected_version)
        return _only(await self._change(self.sql.update, [change], verb))

    async def update_many(self, changes: Sequence[Change], *, verb: str = "update") -> list[E | OvasabiError]:
        """As `update`, N rows in one statement."""
        return await self._change(self.sql.update, changes, verb)

    async def adjust(self, id: int, amounts: Mapping[str, Any], *, verb: str) -> E:
        """Adds to counters without reading them first: right under concurrency. The version stays."""
        return _only(await self._change(self.sql.adjust, [Change(id, amounts)], verb))

    async def delete(self, id: int, *, expected_version: int | None = None, verb: str = "delete") -> E:
        """Deletes one entity, softly: a tombstone and its history stay, its natural keys are free again."""
        return _only(await self._change(self.sql.delete, [Change(id, {}, expected_version)], verb))

    async def restore(self, id: int, *, verb: str = "restore") -> E:
        """Takes a delete back, if its natural keys are still free."""
        return _only(await self._change(self.sql.restore, [Change(id)], verb))

    # -- reads

    async def get(self, reference: int | str | UUID) -> E:
        """One entity by id or uuid."""
        id, wanted = self.resolve(reference)
        found = await self.get_many([id])
        if id not in found or (wanted is not None and found[id].uuid != wanted):
            raise EntityNotFound(type=self.of.name, reference=reference)
        return found[id]

    async def get_many(self, ids: Sequence[int]) -> dict[int, E]:
        """Those of the entities that are there, by id."""
        campaign = current_campaign()
        ordered = sorted(ids)
        rows = await read(
            self.database, self.sql.get, scope_of(campaign), campaign, [id_time(id) for id in ordered], ordered
        )
        return {row["id"]: self.entity(row) for row in rows}

    async def secret(self, id: int) -> dict[str, str]:
        """The sealed fields of one entity, to check against; never to be shown."""
        campaign = current_campaign()
        rows = await read(self.database, self.sql.secrets, scope_of(campaign), campaign, [id_time(id)], [id])
        if not rows:
            raise EntityNotFound(type=self.of.name, reference=id)
        return dict(rows[0])

    def resolve(self, reference: int | str | UUID) -> tuple[int, UUID | None]:
        """The id that a reference names, and the uuid to hold it against if it was one."""
        parsed = parse_reference(str(reference))
        if parsed is None:
            raise EntityNotFound(type=self.of.name, reference=reference)
        return parsed

    def entity(self, row: Row) -> E:
        """An entity from a row with its columns."""
        return msgspec.convert(
            {name: row[name] for name in self.cls.__struct_fields__ if name in self._shown}, self.cls
        )

    # -- how

    @cached_property
    def _secret_names(self) -> frozenset[str]:
        return frozenset(field.name for field in self.of.stored if field.has(Secret))

    @property
    def _shown(self) -> frozenset[str]:
        return _shown(self.cls)

    async def _create_once(self, rows: dict[int, NewRow], numbers: list[int], verb: str) -> dict[int, E | OvasabiError]:
        """One statement for the rows that are still open; leaves out those to be tried again."""
        context = current()
        positions = list(rows)
        campaigns = [numbers[position] for position in positions]
        keyed = all(rows[position].draft.key for position in positions)
        args = [
            scope_of(*campaigns, *([current_campaign()] if self.of.scope is Scope.ROOT else [])),
            campaigns,
            [rows[position].encoded for position in positions],
            [rows[position].draft.key for position in positions],
            [rows[position].digest for position in positions],
            [self.of.event_type(verb)] * len(positions),
            [context.principal.name] * len(positions),
            [context.correlation_id] * len(positions),
            [context.causation_id] * len(positions),
        ]
        try:
            answered = await write(self.database, self.sql.create, *args, again=keyed)
        except asyncpg.UniqueViolationError as error:
            if in_transaction():
                raise Contended from error
            return {}  # Another one took a key between our look and our insert: look again.
        except asyncpg.PostgresError as error:
            refusal = from_postgres(error, self.of.name, self.of.table_name)
            if refusal is None or in_transaction() or not isinstance(error, OF_ONE_ROW):
                raise refusal or error from error
            return dict.fromkeys(rows, refusal) if len(rows) == 1 else await self._create_halves(rows, numbers, verb)
        answers: dict[int, E | OvasabiError] = {}
        for row in answered:
            position = positions[row["position"] - 1]
            new = rows[position]
            match row["verdict"]:
                case None:
                    answers[position] = self._created(row, new.values, numbers[position])
                case statements.AGAIN:
                    pass
                case statements.REPLAYED:
                    answers[position] = await created_state(self.database, self.cls, str(new.draft.key))
                case verdict:
                    answers[position] = self._refusal(verdict)
        return answers

    async def _create_halves(
        self, rows: dict[int, NewRow], numbers: list[int], verb: str
    ) -> dict[int, E | OvasabiError]:
        """The halves of a statement that one row stopped, each by itself, until that row is alone."""
        items, half = list(rows.items()), len(rows) // 2
        first = await self._create_once(dict(items[:half]), numbers, verb)
        return first | await self._create_once(dict(items[half:]), numbers, verb)

    def _created(self, row: Row, values: Mapping[str, Any], campaign: int) -> E:
        at = id_time(row["id"])
        kept = {"id": row["id"], "uuid": row["uuid"], "campaign_id": campaign, "version": 1}
        shown = {name: value for name, value in values.items() if name in self._shown}
        return self.cls(**kept, created_at=at, updated_at=at, **shown, **derived(self.of, values["metadata"]))

    async def _change(self, sql: str, changes: Sequence[Change], verb: str) -> list[E | OvasabiError]:
        """Changes in order of id, each entity once a statement; answers in the order that was asked."""
        if sql == self.sql.update:  # what `adjust` adds may well be negative
            for change in changes:
                self._check_decimals(change.values)
        answers: dict[int, E | OvasabiError] = {}
        rest = sorted(range(len(changes)), key=lambda place: changes[place].id)
        while rest:
            turn: list[int] = []
            later: list[int] = []
            for place in rest:
                again = turn and changes[turn[-1]].id == changes[place].id
                (later if again else turn).append(place)
            done = await self._change_once(sql, [changes[place] for place in turn], verb)
            answers.update(zip(turn, done, strict=True))
            rest = later
        return [answers[place] for place in range(len(changes))]

    async def _change_once(self, sql: str, changes: list[Change], verb: str) -> list[E | OvasabiError]:
        """One statement. Where a natural key was taken meanwhile: once more, and then row by row."""
        args = await self._change_args(changes, verb)
        for attempt in range(ATTEMPTS):
            try:
                rows = await write(self.database, sql, *args)
                return [await self._changed(row, change) for row, change in zip(rows, changes, strict=True)]
            except asyncpg.UniqueViolationError as error:
                if sql == self.sql.restore:
                    raise KeyTaken(type=self.of.name, key=" or ".join(key.name for key in self.sql.keys)) from error
                if in_transaction() or attempt == ATTEMPTS - 1:
                    raise Contended from error
            except asyncpg.PostgresError as error:
                refusal = from_postgres(error, self.of.name, self.of.table_name)
                if refusal is None or in_transaction() or not isinstance(error, OF_ONE_ROW):
                    raise refusal or error from error
                if len(changes) == 1:
                    return [refusal]
            if len(changes) > 1:
                return [await self._change_alone(sql, change, verb) for change in changes]
        raise Contended

    async def _change_alone(self, sql: str, change: Change, verb: str) -> E | OvasabiError:
        """One row of a batch that failed as a whole; its error is its own."""
        try:
            return (await self._change_once(sql, [change], verb))[0]
        except OvasabiError as error:
            return error

    async def _change_args(self, changes: list[Change], verb: str) -> list[Any]:
        context, campaign, count = current(), current_campaign(), len(changes)
        for change in changes:
            if isinstance(metadata := change.values.get("metadata"), dict):
                check_metadata(metadata, self.of.service)
        return [
            scope_of(campaign),
            [campaign] * count,
            [change.id for change in changes],
            [id_time(change.id) for change in changes],
            [change.expected_version for change in changes],
            [self._encode(await self._sealed(change.values)) for change in changes],
            [self.of.event_type(verb)] * count,
            [context.principal.name] * count,
            [context.correlation_id] * count,
            [context.causation_id] * count,
        ]

    async def _changed(self, row: Row, change: Change) -> E | OvasabiError:
        if row["verdict"] is not None:
            return self._refusal(row["verdict"])
        if row["id"] is not None:
            return self.entity(row)
        return await self._why_not(change)

    async def _why_not(self, change: Change) -> OvasabiError:
        """Why a row was not changed: it is not there, or at another version."""
        found = (await self.get_many([change.id])).get(change.id)
        if found is None or change.expected_version in (None, found.version):
            return EntityNotFound(type=self.of.name, reference=change.id)
        return VersionConflict(
            type=self.of.name, reference=change.id, version=found.version, expected=change.expected_version
        )

    def _refusal(self, verdict: str) -> OvasabiError:
        if verdict == statements.KEY_REUSED:
            return KeyReused(field="Idempotency-Key")
        name = verdict.partition(":")[2]
        if verdict.startswith(statements.TAKEN):
            return KeyTaken(field=name, type=self.of.name, key=name.replace("+", ", "))
        reference = self.of.by_name[name].get(Reference)
        assert reference is not None
        return ReferenceMissing(field=name, name=name, type=declared[reference.type].name)

    async def _row(self, draft: Draft) -> "NewRow":
        """A draft made ready: complete, checked, sealed (in a thread, since that is slow by intent) and encoded."""
        check_metadata(draft.values.get("metadata") or {}, self.of.service)
        self._check_decimals(draft.values)
        values = self._complete(draft.values)
        digest = None
        if draft.key:
            public = {name: value for name, value in values.items() if name not in self._secret_names}
            digest = hashlib.sha256(f"{self.of.name}\0{self._encode(public)}".encode()).digest()
        sealed = await self._sealed(values)
        return NewRow(draft, sealed, self._encode(sealed), digest)

    def _complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """All columns of a new row: what was given, else the field's default."""
        complete = {
            field.name: values[field.name] if field.name in values else field.initial() for field in self.of.stored
        }
        return {**complete, "metadata": values.get("metadata") or {}}

    def _check_decimals(self, values: Mapping[str, Any]) -> None:
        """Decimals, whose digits and bounds the decoder of a request does not know."""
        for field, digits, bounds in self._decimals:
            value = values.get(field)
            if value is not None and (problem := digits.problem(value) or bounds.problem(value)):
                raise InvalidValue(field=field, problem=f"{field} {problem}.")

    @cached_property
    def _decimals(self) -> list[tuple[str, Numeric, Bounds]]:
        fields = [field for field in self.of.stored if field.base is Decimal]
        return [(field.name, field.get(Numeric) or Numeric(), field.get(Bounds) or Bounds()) for field in fields]

    async def _sealed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        sealed = dict(values)
        for field in self.of.stored:
            if (secret := field.get(Secret)) and field.name in sealed:
                value = sealed.pop(field.name)
                sealed[field.column] = None if value is None else await asyncio.to_thread(secret.seal, value)
        return sealed

    def _encode(self, values: Mapping[str, Any]) -> str:
        try:
            text = msgspec.json.encode(values).decode()
        except UnicodeEncodeError as error:
            raise InvalidValue(problem="Text may not hold half a character (a lone surrogate).") from error
        if _NUL.search(text):
            raise InvalidValue(problem="Text may not hold the character U+0000.")
        return text

    async def reserve_number(self) -> int:
        """A campaign number for a row that is still to be created: small, sequential, never used again."""
        return (await self._drawn(1))[0]

    async def _numbers(self, drafts: Sequence[Draft]) -> list[int]:
        drawn = iter(await self._drawn(sum(draft.number is None for draft in drafts)))
        return [next(drawn) if draft.number is None else draft.number for draft in drafts]

    async def _drawn(self, count: int) -> list[int]:
        rows = await self.database.write("SELECT nextval('campaign_number')::int FROM generate_series(1, $1)", count)
        return [row[0] for row in rows]


_shown_fields: dict[type[Entity], frozenset[str]] = {}


def _shown(cls: type[Entity]) -> frozenset[str]:
    if cls not in _shown_fields:
        declaration = type_of(cls)
        _shown_fields[cls] = frozenset([*Entity.__struct_fields__, *(field.name for field in declaration.shown)])
    return _shown_fields[cls]


def _only(answers: list[E | OvasabiError]) -> E:
    (answer,) = answers
    if isinstance(answer, OvasabiError):
        raise answer
    return answer
