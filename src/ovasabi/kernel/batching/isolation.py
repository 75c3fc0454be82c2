"""Sends the rows of a failed statement again, apart from each other, so that one row's fault is not its neighbours'."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg
import msgspec

from ovasabi.database.failures import ROLLED_BACK, is_locked, is_lost
from ovasabi.database.pools import STATEMENT_LOCK_SECONDS
from ovasabi.database.retry import given_up, left_to
from ovasabi.errors import DeadlineExceeded
from ovasabi.kernel.batching.batcher import Overloaded
from ovasabi.kernel.call.context import acting, current, deadline
from ovasabi.kernel.call.errors import LeaseLost
from ovasabi.kernel.call.transaction import in_transaction, waiting_for_locks

Item = TypeVar("Item")
Result = TypeVar("Result")
Run = Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]]
"""Runs one statement for some rows: returns the result of each, or raises if the statement failed as a whole."""

TOTAL_SECONDS = 10.0
"""How long rows are sent again; the rows that remain are refused, and may be sent again by their callers."""
SECONDS_ALONE = 2.0
"""How long a row may take by itself after its statement had waited in vain."""
LOCK_SECONDS_ALONE = 0.005
"""How long such a row waits for a lock: what it waits for longer, it waits for outside, and nobody waits with it."""
ALONE_AT_ONCE = 2
"""How many of these rows are sent concurrently, so that connections remain for other calls."""
FEW = 4
"""As few rows as this are sent one by one: halves of them would only be more statements."""
_SLOW = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, *ROLLED_BACK)
"""Errors after seconds of waiting: halves would wait as long again, one after another."""


async def isolating(items: Sequence[Item], run: Run[Item, Result]) -> list[Result | Exception]:
    """Runs one statement for all items. If it fails, runs it for parts of them, until each fault is alone.

    Returns a result or an error for each item. Raises the error of a single item, of a lost connection or lease, and of
    a statement in a transaction: these are faults of all items. A row that is still locked has the error for that.
    """
    try:
        with waiting_for_locks(STATEMENT_LOCK_SECONDS):
            return list(await run(list(items)))
    except Exception as error:
        if len(items) == 1 or in_transaction() or not _is_separable(error):
            raise
        end = asyncio.get_running_loop().time() + TOTAL_SECONDS
        return await _apart(error, list(items), run, min(end, deadline() or end))


async def _apart(error: Exception, items: list[Item], run: Run[Item, Result], end: float) -> list[Result | Exception]:
    """Returns the results of items whose common statement failed with the error."""
    if len(items) == 1 or not _is_separable(error):
        return [error] * len(items)
    if isinstance(_cause(error), _SLOW):
        one_at_a_time = asyncio.Semaphore(ALONE_AT_ONCE)
        return list(await asyncio.gather(*(_alone(error, item, run, end, one_at_a_time) for item in items)))
    size = 1 if len(items) <= FEW else len(items) // 2
    parts = [await _part(items[at : at + size], run, end) for at in range(0, len(items), size)]
    return [result for part in parts for result in part]


async def _part(items: list[Item], run: Run[Item, Result], end: float) -> list[Result | Exception]:
    if asyncio.get_running_loop().time() >= end:
        return [Overloaded()] * len(items)
    try:
        with waiting_for_locks(LOCK_SECONDS_ALONE if len(items) == 1 else STATEMENT_LOCK_SECONDS):
            return list(await run(items))
    except Exception as error:
        return await _apart(error, items, run, end)


async def _alone(
    error: Exception, item: Item, run: Run[Item, Result], end: float, turn: asyncio.Semaphore
) -> Result | Exception:
    """Returns the result of one item, tried once, or the error of its common statement if it again waits in vain."""
    async with turn:
        now = asyncio.get_running_loop().time()
        if now >= end:
            return Overloaded()
        limited = msgspec.structs.replace(current(), deadline=min(end, now + SECONDS_ALONE))
        with acting(limited), left_to([_anything]):
            (result,) = await _part([item], run, end)
    in_vain = isinstance(result, Exception) and isinstance(_cause(result) or result, (*_SLOW, DeadlineExceeded))
    return error if in_vain and not is_locked(result) else result


def _is_separable(error: Exception) -> bool:
    """Returns whether the statement had no effect, and may have failed because of some of its rows only."""
    cause = _cause(error)
    if not isinstance(cause, asyncpg.PostgresError) or is_lost(cause) or isinstance(error, LeaseLost):
        return False
    return not isinstance(cause, ROLLED_BACK) or given_up(error)  # otherwise all of it is about to be retried


def _cause(error: Exception) -> BaseException | None:
    return error if isinstance(error, asyncpg.PostgresError) else error.__cause__


def _anything(error: Exception) -> bool:
    return True
