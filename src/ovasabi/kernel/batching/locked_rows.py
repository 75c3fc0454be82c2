"""Rows that other transactions hold locked: each is tried again later, beside the statements that others share."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from ovasabi.database.connection import Database
from ovasabi.database.failures import is_locked
from ovasabi.database.pools import LOCK_SECONDS
from ovasabi.database.retry import Policy, give_up
from ovasabi.kernel.batching.batcher import Overloaded
from ovasabi.kernel.batching.concurrency import ALL, Concurrency
from ovasabi.kernel.call.context import deadline
from ovasabi.kernel.call.transaction import waiting_for_locks

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 512
"""How many rows wait in one process; half of them may be of one campaign."""
AT_ONCE = 2
"""How many of them are tried concurrently on one database, each of another campaign: other calls need connections."""
PAUSES = Policy(first=0.02, longest=0.25)
"""The pauses between the tries of a row, in which it holds no connection."""
ROUND_SECONDS = 1.0
SHORTEST, LONGEST = 0.005, 0.05
"""How long one try waits for the lock: all rows of a campaign together about as long as a round, within these bounds.
Those that wait only once in a while would otherwise never get a lock that is always held by someone."""

_waiting = Concurrency(MOST)
_rooms: "WeakKeyDictionary[Database, _Room]" = WeakKeyDictionary()


class _Room:
    """The turns of one database's rows, and how many wait in each campaign."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(AT_ONCE)
        self.of_campaign: dict[int, asyncio.Semaphore] = {}
        self.waiting: Counter[int] = Counter()


async def until_free(
    database: Database,
    campaign: int,
    refusal: Exception,
    attempt: Callable[[], Awaitable[Any]],
    wanted: Callable[[], bool] = lambda: True,
) -> Any:
    """Tries a locked row again until it is free, and returns its result.

    Returns the refusal if the row remains locked for too long, or until the deadline, and `Overloaded` if too many
    rows wait already. Ends early if the result is not `wanted` any more.
    """
    try:
        _waiting.enter(ALL, campaign)
    except Overloaded as error:
        return error
    room = _rooms.setdefault(database, _Room())
    room.waiting[campaign] += 1
    try:
        return await _tried(room, campaign, refusal, attempt, wanted)
    finally:
        _waiting.leave(ALL, campaign)
        room.waiting[campaign] -= 1
        if not room.waiting[campaign]:
            del room.waiting[campaign]
            room.of_campaign.pop(campaign, None)


async def _tried(
    room: _Room,
    campaign: int,
    refusal: Exception,
    attempt: Callable[[], Awaitable[Any]],
    wanted: Callable[[], bool],
) -> Any:
    clock = asyncio.get_running_loop().time
    end, failures = min(clock() + LOCK_SECONDS, deadline() or float("inf")), 0
    result: Any = refusal
    while is_locked(result) and wanted():
        failures += 1
        pause = PAUSES.pause(failures)
        if clock() + pause >= end:
            give_up(refusal)  # what has waited this long is not tried again from outside
            return refusal
        await asyncio.sleep(pause)
        async with room.of_campaign.setdefault(campaign, asyncio.Semaphore()), room.turns:
            if clock() >= end or not wanted():
                continue
            seconds = min(LONGEST, max(SHORTEST, ROUND_SECONDS / room.waiting[campaign]))
            with waiting_for_locks(seconds):
                result = await attempt()
    return result


async def each_until_free(
    database: Database,
    items: Sequence[Item],
    results: Sequence[Result],
    campaign_of: Callable[[Item], int],
    run: Callable[[list[Item]], Awaitable[Sequence[Result]]],
) -> list[Result]:
    """Returns the results of one caller's rows, after those that were locked were tried again."""

    async def settled(item: Item, result: Result) -> Result:
        if not isinstance(result, Exception) or not is_locked(result):
            return result

        async def attempt() -> Result:
            return (await run([item]))[0]

        freed: Result = await until_free(database, campaign_of(item), result, attempt)
        return freed

    if not any(is_locked(result) for result in results):
        return list(results)
    return list(await asyncio.gather(*map(settled, items, results)))
