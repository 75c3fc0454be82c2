"""Trying again: one loop for everything that may succeed a moment later, bounded by attempts and by the deadline."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import msgspec

from ovasabi.database.failures import transient

T = TypeVar("T")
Condition = Callable[[Exception], bool]
"""Which failures are tried again."""

log = logging.getLogger("ovasabi.database")


class Policy(msgspec.Struct, frozen=True):
    """How often it is tried, with pauses that double from the first to the longest, and for how long in all.

    Without `attempts` it is tried as often as there is time for: until `seconds` after the first failure, then a last
    time.
    """

    first: float
    longest: float
    attempts: int | None = None
    seconds: float | None = None

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures: half to one and a half times the pause, so that callers disperse."""
        return min(self.first * 2.0 ** min(failures - 1, 32), self.longest) * random.uniform(0.5, 1.5)


STATEMENT = Policy(attempts=5, first=0.1, longest=0.8)
"""One statement whose connection was lost, or which was rolled back."""
CONTENTION = Policy(attempts=5, first=0.01, longest=0.2)
"""What others got in the way of: it is looked at again, and made anew."""

_GIVEN_UP = "_ovasabi_given_up"
_taken_over: ContextVar[Condition | None] = ContextVar("ovasabi_retry_taken_over", default=None)


async def retry(
    attempt: Callable[[], Awaitable[T]],
    policy: Policy,
    *,
    on: Condition = transient,
    deadline: float | None = None,
    takes_over: bool = False,
) -> T:
    """The result of the first attempt that succeeds; else the error of the last one, which says what was wrong.

    It never sleeps past the `deadline`, in seconds of the loop's clock: it ends before, with the error that it has.
    Attempts do not multiply. What one retry has given up on, none further out tries again. Where the one further out
    is the patient one, it `takes_over`: the retries inside it let pass what it tries again itself.
    """
    loop = asyncio.get_running_loop()
    failures, end = 0, None
    while True:
        try:
            if not takes_over:
                return await attempt()
            with _leaving_to(on):
                return await attempt()
        except Exception as error:
            taken = _taken_over.get()
            if not on(error) or given_up(error) or (taken is not None and taken(error)):
                raise
            failures, now = failures + 1, loop.time()
            if end is None and policy.seconds is not None:
                end = now + policy.seconds
            pause = policy.pause(failures) if end is None else min(policy.pause(failures), end - now)
            late = deadline is not None and now + pause >= deadline
            if failures == policy.attempts or pause <= 0 or late:
                setattr(error, _GIVEN_UP, True)
                raise
            log.debug("tried again in %.2f s after failure %d: %r", pause, failures, error)
        await asyncio.sleep(pause)


def given_up(error: BaseException) -> bool:
    """Whether a retry gave up on the error, or on the one that it comes from."""
    cause: BaseException | None = error
    for _ in range(8):  # an error may be its own cause
        if cause is None:
            return False
        if hasattr(cause, _GIVEN_UP):
            return True
        cause = cause.__cause__
    return False


def taken_over() -> Condition | None:
    """Which failures are tried again further out, if any are."""
    return _taken_over.get()


@contextmanager
def left_to(callers: Iterable[Condition | None]) -> Iterator[None]:
    """What is done in a task for several callers: failures that each of them tries again itself are left to them."""
    conditions = set(callers)
    if None in conditions:
        yield
        return
    with _leaving_to(lambda error: all(condition is not None and condition(error) for condition in conditions)):
        yield


@contextmanager
def _leaving_to(condition: Condition) -> Iterator[None]:
    token = _taken_over.set(condition)
    try:
        yield
    finally:
        _taken_over.reset(token)
