"""What a server has of the platform that home lacks: after a restore, home is as it was when it was backed up."""

from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec

from ovasabi.database.sql import load
from ovasabi.errors import StartError

_SQL = load(__file__)
_PAGE = 10_000


async def draw_past(owner: asyncpg.Connection, subscriber: asyncpg.Connection) -> None:
    """Moves the sequence of campaign numbers past the campaigns of a server, so that no number is used twice."""
    newest = await subscriber.fetchval(_SQL["newest"])
    await owner.execute(_SQL["draw_past"], newest)


class Lost(msgspec.Struct, frozen=True):
    """The API keys and entities of the platform that a server has and home lacks, and how many it has in all."""

    keys: list[str]
    ids: list[int]
    had: int


async def lost_at(owner: asyncpg.Connection, subscriber: asyncpg.Connection, number: int) -> Lost:
    """Returns what home lacks; raises StartError if it lacks all that a server has: that is not home's to replace."""
    keys, key_count = await _lacking(owner, _SQL["lacks_key"], subscriber, _SQL["keys"], "")
    ids, id_count = await _lacking(owner, _SQL["lacks_id"], subscriber, _SQL["ids"], 0)
    found = Lost(keys, ids, key_count + id_count)
    if found.had and len(keys) + len(ids) == found.had:
        problem = f"Server {number} has API keys or users, but none that home has: it is not of this installation."
        hint = "Check the URLs in OVASABI_DATABASE_URL and OVASABI_SHARDS."
        raise StartError(problem=problem, hint=hint)
    return found


async def forget(
    lost: Lost, owner: asyncpg.Connection, subscriber: asyncpg.Connection, number: int, say: Callable[[str], None]
) -> None:
    """Makes a server agree with home about what home lacks; a key that was revoked is revoked at home, too.

    Entities of the platform count as deleted there: references to them hold, as the registry's rows remain.
    """
    revoked = await subscriber.fetch(_SQL["revoked"])
    again = await owner.fetch(_SQL["revoke"], [row["prefix"] for row in revoked], [row["at"] for row in revoked])
    async with subscriber.transaction():
        await subscriber.execute(_SQL["drop_keys"], lost.keys)
        deleted = await subscriber.fetch(_SQL["delete"], lost.ids)
        for row in await subscriber.fetch(_SQL["tables"]):
            await subscriber.execute(row["sql"], lost.ids)
    if again:
        say(f"revoked at home, as on server {number}: the API keys {', '.join(row['prefix'] for row in again)}")
    if lost.keys:
        say(f"not valid any more, because home has lost them: the API keys {', '.join(lost.keys)}")
    if deleted:
        what = "a user" if len(deleted) == 1 else f"{len(deleted):,} users"
        say(f"home has lost {what} that server {number} had: for references there, they count as deleted")


async def _lacking(
    owner: asyncpg.Connection, lacks: str, subscriber: asyncpg.Connection, keys: str, first: Any
) -> tuple[list[Any], int]:
    """Returns which of a server's rows home lacks, and how many there are; home is read after the server."""
    lacking, count, last = [], 0, first
    while rows := await subscriber.fetch(keys, last, _PAGE):
        page = [row[0] for row in rows]
        lacking += [row[0] for row in await owner.fetch(lacks, page)]
        count, last = count + len(page), page[-1]
    return lacking, count
