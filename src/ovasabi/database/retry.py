"""Retries: one loop for everything that may succeed a moment later, limited by attempts and by the deadline."""

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
"""Decides which errors are retried."""

log = logging.getLogger("ovasabi.database")


class Policy(msgspec.Struct, frozen=True):
    """The number of attempts, the pauses between them, which double from `first` to `longest`, and the total time.

    Without `attempts`, only time limits the retries: until `seconds` after the first failure, and then one last time.
    """

    first: float
    longest: float
    attempts: int | None = None
    seconds: float | None = None

    def pause(self, failures: int) -> float:
        """Returns the seconds to wait after so many failures, with a jitter of ±50 % so that callers spread out."""
        return min(self.first * 2.0 ** min(failures - 1, 32), self.longest) * random.uniform(0.5, 1.5)


STATEMENT = Policy(attempts=5, first=0.1, longest=0.8)
"""For one statement that was rolled back, or whose connection was lost."""
CONTENTION = Policy(attempts=5, first=0.01, longest=0.2)
"""For a write that conflicts with concurrent ones: it reads the current state and is built anew."""

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
    """Returns the result of the first attempt that succeeds; otherwise raises the error of the last one.

    It never sleeps past the `deadline`, in seconds of the loop's clock, but raises the last error before it. Attempts
    do not multiply: once a retry has given up on an error, no outer retry tries again. If the outer retry is the more
    patient one, it sets `takes_over`: the retries inside it then raise at once the errors that it retries itself.
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
                give_up(error)
                raise
            log.debug("tried again in %.2f s after failure %d: %r", pause, failures, error)
        await asyncio.sleep(pause)


def give_up(error: BaseException) -> None:
    """Marks an error that was retried long enough, so that no outer retry tries again."""
    setattr(error, _GIVEN_UP, True)


def given_up(error: BaseException) -> bool:
    """Returns whether a retry has given up on the error or on one of its causes."""
    cause: BaseException | None = error
    for _ in range(8):  # an error may be its own cause
        if cause is None:
            return False
        if hasattr(cause, _GIVEN_UP):
            return True
        cause = cause.__cause__
    return False


def taken_over() -> Condition | None:
    """Returns the condition of the outer retry that has taken over, if there is one."""
    return _taken_over.get()


@contextmanager
def left_to(callers: Iterable[Condition | None]) -> Iterator[None]:
    """In a task that works for several callers, leaves the errors to them that every one of them retries itself."""
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
