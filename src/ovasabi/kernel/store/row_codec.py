"""Converts values to rows of a statement (with defaults, checked, sealed and encoded), and rows to entities."""

import asyncio
import hashlib
import re
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

import msgspec

from ovasabi.database.connection import Row
from ovasabi.database.secret_keys import SecretKeys
from ovasabi.decimals import to_json
from ovasabi.kernel.call.context import current
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.call.unfit import refusal_of
from ovasabi.kernel.declare.entity import Entity, type_of
from ovasabi.kernel.declare.fields import Bounds, Field, FromMetadata, Numeric, Secret
from ovasabi.kernel.declare.ids import MAX_ID, id_time
from ovasabi.kernel.declare.metadata import check_metadata, derived
from ovasabi.kernel.store.rows import Change, ChangedRow, NewRow
from ovasabi.kernel.store.sizes import Sizes

E = TypeVar("E", bound=Entity)
UNKEYED, KEYED = 2, 3
"""How digests are made: without or with a secret key. It is their first byte; in version 1 they had none."""
_SHA256 = 32
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class Codec(Generic[E]):
    """Converts drafts and changes of one entity type to rows, and rows to entities."""

    def __init__(self, cls: type[E], secret_keys: SecretKeys | None = None) -> None:
        self.cls = cls
        self._secret_keys = secret_keys
        self.of = type_of(cls)
        self.sizes = Sizes(self.of)

    async def new_row(
        self, draft: Mapping[str, Any], key: str | None, campaign: int, verb: str
    ) -> tuple[NewRow, dict[str, Any]]:
        """Returns the row for a draft, and the draft's values completed with defaults."""
        metadata = draft.get("metadata")
        if metadata:
            check_metadata(metadata, self.of.service)
        self._check_decimals(draft)
        self.sizes.check(draft)
        draft = self._in_utc(draft)
        values = {name: draft[name] if name in draft else initial() for name, initial in self._initial}
        values["metadata"] = metadata or {}
        context = current()
        row = NewRow(
            campaign,
            encoded(await self._sealed(values)),
            key,
            self.digest(values, UNKEYED if self._secret_keys is None else KEYED) if key else None,
            self.of.event_type(verb),
            context.principal.name,
            context.correlation_id,
            context.causation_id,
            self._parent(values),
        )
        return row, values

    async def changed_row(self, change: Change, campaign: int, verb: str, *, adds: bool = False) -> ChangedRow:
        """Returns the row for a change. With `adds`, its values are added to the stored ones, and may be negative."""
        if not adds:
            self._check_decimals(change.values)
            self.sizes.check(change.values)
        if isinstance(metadata := change.values.get("metadata"), dict):
            check_metadata(metadata, self.of.service)
        changed = self._in_utc(change.values)
        context = current()
        return ChangedRow(
            campaign,
            change.id,
            change.expected_version,
            encoded(await self._sealed(changed)),
            self.of.event_type(verb),
            context.principal.name,
            context.correlation_id,
            context.causation_id,
        )

    def created(self, id: int, uuid: Any, campaign: int, values: dict[str, Any]) -> E:
        """Returns the entity that was created, without reading it from the database."""
        at = id_time(id)
        shown = {name: values[name] for name in self._shown if name in values}
        common = {"id": id, "uuid": uuid, "campaign_id": campaign, "version": 1, "created_at": at, "updated_at": at}
        return self.cls(**common, **shown, **derived(self.of, values["metadata"]))

    def entity(self, row: Row) -> E:
        """Returns the entity of a row, which contains at least the entity's columns."""
        values = {name: row[name] for name in self._columns}
        for name, convert in self._converters:
            if values[name] is not None:
                values[name] = convert(values[name])
        return self.cls(**values)

    def _parent(self, values: Mapping[str, Any]) -> int | None:
        """Returns the id of the parent that counts the row, if any; invalid ids are refused later, as references."""
        counter = self.of.counter
        parent = None if counter is None else values[counter.reference.name]
        return parent if isinstance(parent, int) and 0 < parent <= MAX_ID else None

    @cached_property
    def _initial(self) -> list[tuple[str, Callable[[], Any]]]:
        return [(field.name, field.initial) for field in self.of.stored]

    @cached_property
    def _shown(self) -> list[str]:
        return ["metadata", *(field.name for field in self.of.shown if not field.has(FromMetadata))]

    @cached_property
    def _columns(self) -> list[str]:
        shown = {*Entity.__struct_fields__, *(field.name for field in self.of.shown)}
        return [name for name in self.cls.__struct_fields__ if name in shown]

    @cached_property
    def _converters(self) -> list[tuple[str, Callable[[Any], Any]]]:
        """Converters of the fields whose Python type differs from the driver's: enumerations, and structured JSON."""
        found = [(field.name, _converter(field)) for field in self.of.shown]
        return [(name, converter) for name, converter in found if converter is not None]

    @cached_property
    def _sealers(self) -> list[tuple[str, str, Callable[[str], str]]]:
        secrets = [(field, field.get(Secret)) for field in self.of.stored]
        return [(field.name, field.column, secret.seal) for field, secret in secrets if secret is not None]

    @cached_property
    def _decimals(self) -> list[tuple[str, Numeric, Bounds]]:
        fields = [field for field in self.of.stored if field.base is Decimal]
        return [(field.name, field.get(Numeric) or Numeric(), field.get(Bounds) or Bounds()) for field in fields]

    def _check_decimals(self, values: Mapping[str, Any]) -> None:
        """Checks the digits and bounds of decimals, which the decoder of a request does not check."""
        for field, digits, bounds in self._decimals:
            value = values.get(field)
            if value is not None and (problem := digits.problem(value) or bounds.problem(value)):
                raise InvalidValue(field=field, problem=f"{field} {problem}.")

    @cached_property
    def _timestamps(self) -> list[str]:
        return [field.name for field in self.of.stored if field.base is datetime]

    def _in_utc(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Converts timestamps to UTC, as they are stored and read; PostgreSQL does not accept every offset."""
        times = {name: at for name in self._timestamps if isinstance(at := values.get(name), datetime) and at.tzinfo}
        try:
            return {**values, **{name: at.astimezone(UTC) for name, at in times.items()}} if times else values
        except OverflowError:
            problem = "A timestamp must be between the years 1 and 9999, in UTC."
            raise InvalidValue(field=next(iter(times)), problem=problem) from None

    async def _sealed(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replaces secrets by their hashes, computed in a thread because hashing is intentionally slow."""
        if not self._sealers:
            return values
        sealed = dict(values)
        for name, column, seal in self._sealers:
            if name in sealed:
                value = sealed.pop(name)
                sealed[column] = None if value is None else await asyncio.to_thread(seal, value)
        return sealed

    def digest(self, values: Mapping[str, Any], version: int) -> bytes:
        """Returns the digest by which a request, completed with defaults, is recognized when its key is used again.

        It covers the values that differ from their defaults, so that a field that a later version adds does not change
        it. In version 1 it covered all values.
        """
        content = self._digested(values, version)
        if version == KEYED:
            assert self._secret_keys is not None  # without them, nothing is asked for
            return bytes([version]) + self._secret_keys.digest(content)
        digest = hashlib.sha256(content).digest()
        return digest if version == 1 else bytes([version]) + digest

    def _digested(self, values: Mapping[str, Any], version: int) -> bytes:
        secret = {name for name, _, _ in self._sealers}
        public = {name: value for name, value in values.items() if name not in secret}
        if version >= 2:
            initial = dict(self._initial) | {"metadata": dict}
            public = {name: value for name, value in public.items() if value != initial[name]()}
        # Sorted, so that the digest does not depend on the order in which a client or a protocol sends the fields.
        return f"{self.of.name}\0{encoded(public, order='sorted')}".encode()

    def repeats(self, values: Mapping[str, Any], stored: bytes) -> bool:
        """Returns whether completed values may be those of a stored digest that was made in another way, or with
        another secret key.

        How a later version makes digests is not known, nor is a secret key that was removed; the client's key then has
        to do.
        """
        version = 1 if len(stored) == _SHA256 else stored[0]
        if version == KEYED and self._secret_keys is not None:
            return self._secret_keys.may_match(stored[1:], self._digested(values, version))
        return version >= KEYED or self.digest(values, version) == stored


def encoded(values: Mapping[str, Any], *, order: Literal["sorted"] | None = None) -> str:
    """Encodes values as JSON text for a jsonb parameter."""
    try:
        # What is sorted is a digest, which must stay as it was: keys that were used before have theirs stored.
        text = (to_json(values) if order is None else msgspec.json.encode(values, order=order)).decode()
    except UnicodeEncodeError as error:
        raise refusal_of(values) from error
    if "\\u0000" in text and _NUL.search(text):
        raise refusal_of(values)
    return text


def _converter(field: Field) -> Callable[[Any], Any] | None:
    inner = typing.get_args(field.base)[0] if field.is_list else field.base
    if isinstance(inner, type) and issubclass(inner, Enum):
        members = {member.value: member for member in inner}
        return (lambda values: [members[value] for value in values]) if field.is_list else members.__getitem__
    if field.sql_type == "jsonb" and field.base not in (Any, dict, dict[str, Any]):
        return lambda value: msgspec.convert(value, field.base)
    return None
