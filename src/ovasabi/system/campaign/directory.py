"""Which number a campaign has: looked up by slug or number on the way of every request, remembered for a moment."""

import re
import time

from ovasabi.database.connection import Database
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import PLATFORM
from ovasabi.kernel.call.errors import EntityNotFound
from ovasabi.kernel.call.scope import scope_of

REMEMBERED_SECONDS = 5.0
_SLUG = re.compile(r"[a-z][a-z0-9_-]{1,62}")
_REMEMBERED = 50_000

_SQL = load(__file__)
_known: dict[tuple[str, str], tuple[float, int]] = {}


async def number_of(database: Database, slug_or_number: str, *, deleted: bool = False) -> int:
    """The number of an existing campaign; an error if there is none. A slug begins with a letter, so neither is both.

    With `deleted`, also of one that is deleted, for what can still be done with it.
    """
    key, now = (database.url, slug_or_number), time.monotonic()
    known = _known.get(key)
    if known is not None and known[0] > now and not deleted:
        return known[1]
    numeric = slug_or_number.isascii() and slug_or_number.isdigit() and len(slug_or_number) <= 9
    number = int(slug_or_number) if numeric else None
    named = number is not None or _SLUG.fullmatch(slug_or_number)
    rows = await database.read(_SQL["find"], scope_of(PLATFORM), slug_or_number, number, deleted) if named else []
    if not rows:
        _known.pop(key, None)
        raise EntityNotFound(type="campaign", reference=slug_or_number)
    if deleted:
        return int(rows[0]["campaign_id"])
    if len(_known) >= _REMEMBERED:
        _known.clear()
    _known[key] = (now + REMEMBERED_SECONDS, rows[0]["campaign_id"])
    return int(rows[0]["campaign_id"])


def forget(database: Database, number: int) -> None:
    """Drops what is remembered of a campaign that was changed, deleted or restored."""
    for key in [key for key, (_, known) in _known.items() if known == number and key[0] == database.url]:
        del _known[key]
