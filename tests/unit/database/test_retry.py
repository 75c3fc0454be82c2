"""One retry: bounded by attempts, by time and by the caller's deadline, and never multiplied by another one."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from ovasabi.database.failures import NotSent, transient, translated
from ovasabi.database.retry import Policy, given_up, left_to, retry, taken_over
from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded, Kind
from ovasabi.kernel.batching.batcher import Batcher, Limits, Overloaded
from ovasabi.kernel.call.errors import Contended, InvalidValue, LeaseLost, NoPartition, VersionConflict

QUICK = Policy(attempts=4, first=0.001, longest=0.002)
SLOW = Policy(attempts=4, first=100.0, longest=100.0)
"""Pauses that no test waits for."""


class Refusing:
    """Fails a number of times, with a new error each time; counts how often it is asked."""

    def __init__(self, make: Callable[[], Exception] = Contended, times: float = float("inf")) -> None:
        self.make, self.times, self.asked = make, times, 0

    async def __call__(self) -> int:
        self.asked += 1
        if self.asked <= self.times:
            raise self.make()
        return self.asked


def away() -> DatabaseUnavailable:
    """The database is away."""
    return DatabaseUnavailable(reason="x")


async def test_what_may_pass_is_tried_again_until_it_succeeds() -> None:
    assert await retry(Refusing(times=3), QUICK) == 4


async def test_attempts_are_bounded_and_the_last_error_is_told() -> None:
    refusing = Refusing()
    with pytest.raises(Contended) as caught:
        await retry(refusing, QUICK)
    assert refusing.asked == 4
    assert given_up(caught.value)


async def test_what_does_not_pass_is_told_at_once_and_not_given_up() -> None:
    refusing = Refusing(lambda: InvalidValue(problem="x"))
    with pytest.raises(InvalidValue) as caught:
        await retry(refusing, QUICK)
    assert refusing.asked == 1
    assert not given_up(caught.value)


async def test_a_retry_within_a_retry_does_not_multiply() -> None:
    refusing = Refusing()

    async def inner() -> int:
        return await retry(refusing, QUICK)

    with pytest.raises(Contended):
        await retry(lambda: retry(inner, QUICK), QUICK)
    assert refusing.asked == 4


async def test_what_was_given_up_stays_so_when_it_is_told_as_another_error() -> None:
    refusing = Refusing(lambda: asyncpg.SerializationError("x"))

    async def told() -> int:
        try:
            return await retry(refusing, QUICK)
        except asyncpg.SerializationError as error:
            raise Contended from error

    with pytest.raises(Contended):
        await retry(told, QUICK)
    assert refusing.asked == 4


async def test_a_retry_that_takes_over_is_the_only_one_for_what_it_tries_again() -> None:
    refusing, wrong = Refusing(away), Refusing()
    patient = Policy(attempts=3, first=0.001, longest=0.001)
    with pytest.raises(DatabaseUnavailable):
        await retry(lambda: retry(refusing, QUICK), patient, takes_over=True)
    assert refusing.asked == 3, "the attempts of the outer one"
    assert taken_over() is None

    def unavailable(error: Exception) -> bool:
        return isinstance(error, DatabaseUnavailable)

    with pytest.raises(Contended):
        await retry(lambda: retry(wrong, QUICK), patient, on=unavailable, takes_over=True)
    assert wrong.asked == 4, "what the outer one does not try again, the inner one does"


@pytest.mark.parametrize(("patient", "asked"), [(2, 3), (1, 4)], ids=["all callers", "some callers"])
async def test_a_shared_statement_is_tried_again_by_its_callers_if_all_of_them_do(patient: int, asked: int) -> None:
    refusing = Refusing(away)

    async def run(items: list[int]) -> list[int]:
        return [await retry(refusing, QUICK)] * len(items)

    batcher: Batcher[int, int] = Batcher(run, Limits())
    policy = Policy(attempts=3, first=0.001, longest=0.001)
    callers: list[Awaitable[int]] = [
        retry(lambda: batcher.call(1, campaign=1), policy, takes_over=True) for _ in range(patient)
    ]
    callers += [batcher.call(2, campaign=1) for _ in range(2 - patient)]
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(answer) for answer in answers} == {DatabaseUnavailable}
    assert refusing.asked >= asked
    if patient == 1:
        assert refusing.asked == asked, "the statement was tried again, and was given up for all"


async def test_what_no_caller_tries_again_is_tried_again_by_whoever_serves_them() -> None:
    with left_to([lambda error: True, None]):
        assert taken_over() is None
    with left_to([lambda error: True, lambda error: isinstance(error, Contended)]):
        taken = taken_over()
        assert taken is not None
        assert taken(Contended())
        assert not taken(away())


async def test_it_never_sleeps_past_the_deadline_and_tells_the_error_that_it_has() -> None:
    refusing, loop = Refusing(), asyncio.get_running_loop()
    deadline = loop.time() + 20
    with pytest.raises(Contended) as caught:
        await retry(refusing, SLOW, deadline=deadline)
    assert loop.time() < deadline
    assert refusing.asked == 1
    assert given_up(caught.value)


async def test_without_a_bound_of_attempts_time_is_the_bound_and_its_end_is_tried_too() -> None:
    refusing, loop = Refusing(away), asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(DatabaseUnavailable):
        await retry(refusing, Policy(first=0.15, longest=100.0, seconds=0.2))
    assert loop.time() - begun >= 0.2
    assert 2 <= refusing.asked <= 4


def test_pauses_double_up_to_the_longest_and_are_dispersed() -> None:
    policy = Policy(first=1.0, longest=10.0)
    for failures, usual in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 10.0), (5_000, 10.0)):
        pauses = [policy.pause(failures) for _ in range(200)]
        assert 0.5 * usual <= min(pauses) < 0.75 * usual
        assert 1.25 * usual < max(pauses) <= 1.5 * usual
        assert all(a != b for a, b in itertools.pairwise(pauses))


async def test_a_cancelled_retry_ends_in_its_pause() -> None:
    refusing = Refusing()
    task = asyncio.ensure_future(retry(refusing, SLOW))
    for _ in range(3):
        await asyncio.sleep(0)
    assert refusing.asked == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert refusing.asked == 1


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (away(), True),
        (Overloaded(), True),
        (DeadlineExceeded(), True),
        (Contended(), True),
        (NoPartition(), True),
        (asyncpg.DeadlockDetectedError("x"), True),
        (asyncpg.SerializationError("x"), True),
        (asyncpg.TooManyConnectionsError("x"), True),
        (asyncpg.CannotConnectNowError("x"), True),
        (asyncpg.ConnectionDoesNotExistError("x"), True),
        (ConnectionResetError(), True),
        (NotSent(), True),
        (VersionConflict(type="content", reference=1, version=2, expected=1), False),
        (LeaseLost(), False),
        (InvalidValue(problem="x"), False),
        (asyncpg.UniqueViolationError("x"), False),
        (asyncpg.QueryCanceledError("x"), True),
        (TimeoutError(), True),
        (ValueError(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_time_alone_may_mend_is_said_in_one_place(error: Exception, passes: bool) -> None:
    assert transient(error) is passes


def test_kinds_say_whether_time_alone_may_mend_them() -> None:
    assert {kind for kind in Kind if kind.transient} == {Kind.EXHAUSTED, Kind.UNAVAILABLE, Kind.DEADLINE}


def test_a_lost_connection_and_a_cancelled_statement_are_told_apart() -> None:
    assert isinstance(translated(ConnectionResetError()), DatabaseUnavailable)
    assert "no connection could be made" in str(translated(NotSent()))
    assert isinstance(translated(asyncpg.QueryCanceledError("x")), DeadlineExceeded)
    assert isinstance(translated(TimeoutError()), DeadlineExceeded)
    error = ValueError()
    assert translated(error) is error
