"""The campaign directory: resolves a slug or number to a campaign's number for every request, with a short cache."""

import re
import time

from ovasabi.database.connection import Database
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import PLATFORM
from ovasabi.kernel.call.errors import EntityNotFound
from ovasabi.kernel.call.scope import scope_of

CACHED_SECONDS = 5.0
_SLUG = re.compile(r"[a-z][a-z0-9_-]{1,62}")
_CACHE_SIZE = 50_000

_SQL = load(__file__)
_cache: dict[tuple[str, str], tuple[float, int]] = {}


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
    named = number is not None or _SLUG.fullmatch(slug_or_number)
    rows = await database.read(_SQL["find"], scope_of(PLATFORM), slug_or_number, number, deleted) if named else []
    if not rows:
        _cache.pop(key, None)
        raise EntityNotFound(type="campaign", reference=slug_or_number)
    if deleted:
        return int(rows[0]["campaign_id"])
    if len(_cache) >= _CACHE_SIZE:
        _cache.clear()
    _cache[key] = (now + CACHED_SECONDS, rows[0]["campaign_id"])
    return int(rows[0]["campaign_id"])


def forget(database: Database, number: int) -> None:
    """Drops the cached entries of a campaign that was changed, deleted or restored."""
    for key in [key for key, (_, cached) in _cache.items() if cached == number and key[0] == database.url]:
        del _cache[key]
