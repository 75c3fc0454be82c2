"""The campaign directory: which campaigns there are, under which slug and number, apart from the campaigns themselves.

The directory is the platform's; a campaign's entity is among the campaign's own rows, which may be on another server.
So no statement or transaction writes both. An entry is made first and settled when the entity has been written; what
was interrupted in between is settled by `reconcile`.
"""

import hashlib
import logging
import re
import time
from collections.abc import Sequence

import asyncpg
import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import CLIENT_KEY, PLATFORM, current
from ovasabi.kernel.call.errors import EntityNotFound, KeyTaken
from ovasabi.kernel.call.scope import scope_of

CACHED_SECONDS = 5.0
ABANDONED_SECONDS = 600.0
"""The age at which the entry of a campaign that does not exist counts as that of an interrupted creation."""
SLUG = re.compile(r"[a-z][a-z0-9_-]{1,62}")
_CACHE_SIZE = 50_000
_PAGE = 10_000
log = logging.getLogger("ovasabi.campaign")

_SQL = load(__file__)
_cache: dict[tuple[str, str], tuple[float, int]] = {}


class Entry(msgspec.Struct, frozen=True):
    """A new campaign's entry: its number, and whether the campaign is still to be created."""

    number: int
    new: bool


async def number_of(database: Database, slug_or_number: str, *, deleted: bool = False) -> int:
    """Returns the number of an existing campaign; raises EntityNotFound if there is none.

    Slugs begin with a letter, so a slug is never mistaken for a number. With `deleted`, deleted campaigns are found
    too, for the few methods that apply to them.
    """
    key, now = (database.url, slug_or_number), time.monotonic()
    cached = _cache.get(key)
    if cached is not None and cached[0] > now and not deleted:
        return cached[1]
    numeric = slug_or_number.isascii() and slug_or_number.isdigit() and len(slug_or_number) <= 9
    number = int(slug_or_number) if numeric else None
    named = number is not None or SLUG.fullmatch(slug_or_number)
    rows = await database.read(_SQL["find"], slug_or_number, number, deleted) if named else []
    if not rows:
        _cache.pop(key, None)
        raise EntityNotFound(type="campaign", reference=slug_or_number)
    if deleted:
        return int(rows[0]["number"])
    if len(_cache) >= _CACHE_SIZE:
        _cache.clear()
    _cache[key] = (now + CACHED_SECONDS, rows[0]["number"])
    return int(rows[0]["number"])


def forget(database: Database, number: int) -> None:
    """Drops the cached entries of a campaign that was changed, deleted or restored."""
    for key in [key for key, (_, cached) in _cache.items() if cached == number and key[0] == database.url]:
        del _cache[key]


async def enter(database: Database, slugs: Sequence[str], keys: Sequence[str | None]) -> list[Entry | None]:
    """Enters campaigns to be created, each under a client key if it has one; returns None for each taken slug.

    A campaign that was entered under the same key before keeps its entry, so that its creation can be repeated.
    """
    own = [_of_caller(key) for key in keys]
    rows = await database.write(_SQL["enter"], list(slugs), own)
    # A slug that is taken may have been entered under that key just now, or before keys had callers.
    for again in (own, list(keys)):
        if any(row["number"] is None and key is not None for row, key in zip(rows, keys, strict=True)):
            found = await database.write(_SQL["enter"], list(slugs), again)
            rows = [new if row["number"] is None else row for row, new in zip(rows, found, strict=True)]
    return [None if row["number"] is None else Entry(row["number"], row["state"] == "creating") for row in rows]


def _of_caller(key: str | None) -> str | None:
    """Returns the key under which a caller's own key is kept: two callers with the same key do not share an entry."""
    if key is None or not key.startswith(CLIENT_KEY):
        return key
    return CLIENT_KEY + hashlib.sha256(f"{current().principal.name}\0{key}".encode()).hexdigest()


async def claim(database: Database, number: int) -> None:
    """Makes the slug of a deleted campaign its own again; raises KeyTaken if another campaign has it."""
    try:
        await database.write(_SQL["claim"], number)
    except asyncpg.UniqueViolationError as error:
        raise KeyTaken(field="slug", type="campaign", key="slug") from error
    forget(database, number)


async def settle(database: Database, shard: Database, number: int) -> None:
    """Makes a campaign's entry agree with its entity; the slug of a campaign that does not exist is free again."""
    for entry in await database.read(_SQL["entry"], number):
        found = await shard.read(_SQL["entity"], scope_of(number), number)
        state = _state(found[0]["deleted"] if found else True)
        if state == entry["state"]:
            continue
        try:
            await database.write(_SQL["settle"], number, state, entry["changed_at"], not found)
        except asyncpg.UniqueViolationError as error:
            raise KeyTaken(field="slug", type="campaign", key="slug") from error
    forget(database, number)


async def reconcile(database: Database, shard: Database) -> int:
    """Settles the entries that interrupted calls, or a version without a directory, left behind; returns how many."""
    unsettled = [row["number"] for row in await database.read(_SQL["abandoned"], ABANDONED_SECONDS)]
    last = 0
    while entities := await shard.read(_SQL["entities"], scope_of(PLATFORM), PLATFORM, last, _PAGE):
        unsettled += await _differing(database, entities)
        last = entities[-1]["number"]
    for number in unsettled:
        try:
            await settle(database, shard, number)
        except KeyTaken:
            log.warning("campaign %d has the slug of another campaign", number)
    return len(unsettled)


async def _differing(database: Database, entities: Sequence[Row]) -> list[int]:
    """Returns the numbers of the campaigns that the directory has in another state; it gets those that it lacks."""
    by_number = {row["number"]: row for row in entities}
    rows = await database.read(_SQL["differing"], list(by_number), [row["deleted"] for row in entities])
    for row in rows:
        if row["missing"]:
            found = by_number[row["number"]]
            await database.write(_SQL["adopt"], found["number"], found["slug"], _state(found["deleted"]))
    return [row["number"] for row in rows]


def _state(deleted: bool) -> str:
    return "deleted" if deleted else "active"
