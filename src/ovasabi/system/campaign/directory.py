"""The campaign directory: which campaigns there are, under which slug and number, apart from the campaigns themselves.

The directory is the platform's; a campaign's entity is among the campaign's own rows, which may be on another server.
So no statement or transaction writes both. An entry is made first and settled when the entity has been written; what
was interrupted in between is settled by `reconcile`.
"""

import hashlib
import heapq
import logging
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import CLIENT_KEY, PLATFORM, current
from ovasabi.kernel.call.errors import EntityNotFound, KeyTaken
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.declare.ids import number_in
from ovasabi.kernel.service.shards import HOME
from ovasabi.system.campaign.errors import CampaignLost

CACHED_SECONDS = 5.0
ABANDONED_SECONDS = 600.0
"""The age at which the entry of a campaign that does not exist counts as that of an interrupted creation."""
TAKEN_OVER_SECONDS = 60.0
"""The age at which such an entry is taken over by another creation of the slug. The first one may still go on: both
create the same campaign then, and its natural key lets one of them win."""
SLUG = re.compile(r"[a-z][a-z0-9_-]{1,62}")
_CACHE_SIZE = 50_000
_PAGE = 10_000
log = logging.getLogger("ovasabi.campaign")

_SQL = load(__file__)
_cache: dict[tuple[str, str], tuple[float, int]] = {}
_shards: dict[tuple[str, int], int] = {}


Fetching = Callable[..., Awaitable[Sequence[Any]]]
"""Reads rows from a database: of a connection, or of pools."""


class Entry(msgspec.Struct, frozen=True):
    """A new campaign's entry: its number and server, and whether the campaign is still to be created."""

    number: int
    shard: int
    new: bool


async def number_of(database: Database, slug_or_number: str, *, deleted: bool = False) -> int:
    """Returns the number of an existing campaign; raises EntityNotFound if there is none, CampaignLost if it was lost.

    Slugs begin with a letter, so a slug is never mistaken for a number. With `deleted`, deleted campaigns are found
    too, for the few methods that apply to them.
    """
    key, now = (database.url, slug_or_number), time.monotonic()
    cached = _cache.get(key)
    if cached is not None and cached[0] > now and not deleted:
        return cached[1]
    number = number_in(slug_or_number, digits=9)
    named = number is not None or SLUG.fullmatch(slug_or_number)
    rows = await database.read(_SQL["find"], slug_or_number, number, deleted) if named else []
    if not rows:
        _cache.pop(key, None)
        raise EntityNotFound(type="campaign", reference=slug_or_number)
    if rows[0]["lost"]:
        _cache.pop(key, None)
        raise CampaignLost(campaign=slug_or_number, shard=rows[0]["shard"])
    _shards[database.url, rows[0]["number"]] = rows[0]["shard"]
    if deleted:
        return int(rows[0]["number"])
    if len(_cache) >= _CACHE_SIZE:
        _cache.clear()
        _shards.clear()
    _cache[key] = (now + CACHED_SECONDS, rows[0]["number"])
    return int(rows[0]["number"])


async def shard_of(database: Database, number: int) -> int:
    """Returns the server that a campaign is on; campaigns do not move."""
    if (database.url, number) not in _shards:
        rows = await database.read(_SQL["shard"], number)
        if not rows:
            raise EntityNotFound(type="campaign", reference=number)
        _shards[database.url, number] = rows[0]["shard"]
    return _shards[database.url, number]


def forget(database: Database, number: int) -> None:
    """Drops the cached entries of a campaign that was changed, deleted or restored."""
    for key in [key for key, (_, cached) in _cache.items() if cached == number and key[0] == database.url]:
        del _cache[key]


async def enter(
    database: Database, slugs: Sequence[str], keys: Sequence[str | None], shards: Collection[int] = (HOME,)
) -> list[Entry | None]:
    """Enters campaigns to be created, each under a client key if it has one; returns None for each taken slug.

    A campaign that was entered under the same key before keeps its entry, so that its creation can be repeated; one
    whose creation was interrupted is taken over with its slug. Others are placed on the servers with the fewest
    campaigns.
    """
    own, places = [_of_caller(key) for key in keys], await _places(database, len(slugs), shards)
    rows = await database.write(_SQL["enter"], list(slugs), own, places)
    rows = await _taken_over(database, slugs, own, rows)
    # A slug that is taken may have been entered under that key just now, or before keys had callers.
    for again in (own, list(keys)):
        if any(row["number"] is None and key is not None for row, key in zip(rows, keys, strict=True)):
            found = await database.write(_SQL["enter"], list(slugs), again, places)
            rows = [new if row["number"] is None else row for row, new in zip(rows, found, strict=True)]
    return [
        None if row["number"] is None else Entry(row["number"], row["shard"], row["state"] == "creating")
        for row in rows
    ]


async def _taken_over(
    database: Database, slugs: Sequence[str], keys: Sequence[str | None], rows: Sequence[Row]
) -> list[Row]:
    """Returns the rows, with the entries of interrupted creations in place of slugs that are taken by them."""
    refused = [index for index, row in enumerate(rows) if row["number"] is None]
    if not refused:
        return list(rows)
    args = [slugs[index] for index in refused], [keys[index] for index in refused], TAKEN_OVER_SECONDS
    taken = {row["slug"]: row for row in await database.write(_SQL["take_over"], *args)}
    # Of several creations of one slug, the first one takes it over.
    return [taken.pop(slug, row) if row["number"] is None else row for slug, row in zip(slugs, rows, strict=True)]


async def abandon(database: Database, number: int) -> None:
    """Lets the next creation of the slug take over the entry of a campaign that may have been created, or not."""
    await database.write(_SQL["abandon"], number, TAKEN_OVER_SECONDS)


async def free(database: Database, number: int) -> None:
    """Frees the slug and key of a campaign that was entered, but certainly not created."""
    await database.write(_SQL["free"], number)


async def _places(database: Database, count: int, shards: Collection[int]) -> list[int]:
    if len(shards) == 1:
        return [*shards] * count
    known = {row["shard"]: row["campaigns"] for row in await database.read(_SQL["loads"])}
    loads = [(known.get(shard, 0), shard) for shard in shards]
    heapq.heapify(loads)
    places = []
    for _ in range(count):
        campaigns, shard = loads[0]
        heapq.heapreplace(loads, (campaigns + 1, shard))
        places.append(shard)
    return places


async def ids_by_key(databases: Mapping[int, Database], keys: Sequence[str | None]) -> dict[str, int]:
    """Returns the ids of the campaigns that were created under client keys, wherever they are."""
    known = {row["number"]: row for row in await databases[HOME].read(_SQL["known"], list(keys))}
    found: dict[str, int] = {}
    for shard in {row["shard"] for row in known.values()} & databases.keys():
        numbers = [number for number, row in known.items() if row["shard"] == shard]
        for row in await databases[shard].read(_SQL["ids"], scope_of(*numbers), numbers):
            found[known[row["number"]]["key"]] = row["id"]
    return found


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


async def reconcile(database: Database, shard: Database, number: int = HOME) -> int:
    """Settles what interrupted calls, a restore, or a version without a directory, left behind in a server's entries.

    Returns how many. Campaigns that the server lacks are marked as lost; they are found again when they are back.
    """
    settled = await settle_abandoned(database, shard, number)
    unsettled: list[int] = []
    last = 0
    while entities := await shard.read(_SQL["entities"], scope_of(PLATFORM), PLATFORM, last, _PAGE):
        unsettled += await _differing(database, entities, number)
        last = entities[-1]["number"]
    await _settle_all(database, shard, unsettled)
    if missing := await database.write(_SQL["lose"], [*await lost(database.read, shard.read, number)]):
        for row in missing:
            forget(database, row["number"])
        log.warning("server %d has lost the campaigns %s", number, ", ".join(row["slug"] for row in missing))
    return settled + len(unsettled)


async def settle_abandoned(database: Database, shard: Database, number: int = HOME) -> int:
    """Settles the entries of a server's campaigns whose creation was interrupted; returns how many."""
    abandoned = [row["number"] for row in await database.read(_SQL["abandoned"], ABANDONED_SECONDS, number)]
    await _settle_all(database, shard, abandoned)
    return len(abandoned)


async def _settle_all(database: Database, shard: Database, numbers: Sequence[int]) -> None:
    for campaign in numbers:
        try:
            await settle(database, shard, campaign)
        except KeyTaken:
            log.warning("campaign %d has the slug of another campaign", campaign)


async def lost(home: Fetching, shard: Fetching, number: int) -> dict[int, str]:
    """Returns the campaigns, with their slugs, that the directory has on a server, but which the server lacks.

    A server that was restored has lost those that were created after its backup.
    """
    expected = {row["number"]: row["slug"] for row in await home(_SQL["expected"], number)}
    last = 0
    while expected and (rows := await shard(_SQL["entities"], scope_of(PLATFORM), PLATFORM, last, _PAGE)):
        for row in rows:
            expected.pop(row["number"], None)
        last = rows[-1]["number"]
    return expected


async def give_up(database: Database, shard: Database, number: int) -> list[str]:
    """Deletes the campaigns that a server has lost from the directory, so that their slugs are free; returns these."""
    given_up = await lost(database.read, shard.read, number)
    for campaign in given_up:
        await settle(database, shard, campaign)
    return [*given_up.values()]


async def _differing(database: Database, entities: Sequence[Row], shard: int) -> list[int]:
    """Returns the numbers of the campaigns that the directory has in another state; it gets those that it lacks."""
    by_number = {row["number"]: row for row in entities}
    rows = await database.read(_SQL["differing"], list(by_number), [row["deleted"] for row in entities])
    for row in rows:
        if row["missing"]:
            found = by_number[row["number"]]
            values = found["number"], found["slug"], _state(found["deleted"]), shard
            if not await database.write(_SQL["adopt"], *values):
                log.warning("campaign %d of server %d has the slug of another campaign", found["number"], shard)
    return [row["number"] for row in rows]


def _state(deleted: bool) -> str:
    return "deleted" if deleted else "active"
