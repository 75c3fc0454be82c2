"""A lane alone: it starts at once, merges what comes meanwhile, and answers each caller with its own answer."""

import asyncio
from typing import Any

import pytest

from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded
from ovasabi.kernel.batching.batcher import Batcher, Limits
from ovasabi.kernel.call.context import NoCampaign, acting, current, current_campaign, system_context
from tests.unit.kernel.batching.fixtures import Server, answers, asked, lane_of, moment, nothing_is_left


class Timeless(asyncio.SelectorEventLoop):
    """A loop in which nothing may wait for a time."""

    def call_later(self, *args: Any, **options: Any) -> Any:
        raise AssertionError("a timer was set")

    call_at = call_later


def test_an_idle_lane_starts_in_the_same_moment_without_a_timer() -> None:
    async def calls() -> None:
        server = Server()
        batcher = lane_of(server)
        caller = asked(batcher.call("first", campaign=1))
        for _ in range(3):  # the caller's turn, the lane's, the statement's
            await asyncio.sleep(0)
        assert server.batches == [["first"]]
        assert await caller == ("answer to", "first")
        assert await asyncio.gather(*(batcher.call(n, campaign=n) for n in range(300))) == [
            ("answer to", n) for n in range(300)
        ]

    with asyncio.Runner(loop_factory=Timeless) as runner:
        runner.run(calls())
        with pytest.raises(AssertionError, match="a timer was set"):
            runner.get_loop().call_later(0, print)


async def test_calls_of_the_same_moment_are_one_statement() -> None:
    server = Server()
    batcher = lane_of(server)
    callers = [asked(batcher.call(n, campaign=n % 3)) for n in range(60)]
    assert await answers(callers) == [("answer to", n) for n in range(60)]
    assert [sorted(batch) for batch in server.batches] == [list(range(60))]


async def test_while_its_statements_are_under_way_the_next_batch_gathers() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=2)
    callers = []
    for n in range(7):
        callers.append(asked(batcher.call(n, campaign=1)))
        await moment()
    assert server.batches == [[0], [1]]
    await server.finish(1)
    assert server.batches == [[0], [1], [2, 3, 4, 5, 6]]
    assert callers[1].result() == ("answer to", 1)
    assert not callers[0].done()
    await server.finish_all()
    assert await answers(callers) == [("answer to", n) for n in range(7)]
    assert server.most == 2


async def test_a_statement_takes_no_more_rows_than_the_bound() -> None:
    server = Server()
    callers = [
        asked(batcher.call(n, campaign=1)) for batcher in [lane_of(server, statements=1, rows=4)] for n in range(10)
    ]
    await answers(callers)
    assert server.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_a_statement_takes_no_more_once_it_has_the_bytes_of_the_bound() -> None:
    server = Server()
    batcher = lane_of(server, statements=1, bytes=100)
    await answers([asked(batcher.call(n, campaign=1, size=50)) for n in range(5)])
    assert server.batches == [[0, 1], [2, 3], [4]]


async def test_a_single_call_larger_than_the_bound_goes_by_itself() -> None:
    server = Server()
    batcher = lane_of(server, statements=1, bytes=100)
    sizes = [5000, 1, 1, 5000]
    await answers([asked(batcher.call(n, campaign=1, size=size)) for n, size in enumerate(sizes)])
    assert server.batches == [[0], [1, 2, 3]]


async def test_an_error_in_the_place_of_an_answer_reaches_that_caller_alone() -> None:
    server, lane_error = Server(), DatabaseUnavailable(reason="of one row")
    server.errors[3] = lane_error
    batcher = lane_of(server)
    got = await answers([asked(batcher.call(n, campaign=1)) for n in range(6)])
    assert got == [lane_error if n == 3 else ("answer to", n) for n in range(6)]
    assert len(server.batches) == 1


async def test_a_statement_that_fails_fails_its_callers_and_the_lane_goes_on() -> None:
    sent: list[list[int]] = []

    async def run(items: list[int]) -> list[int]:
        sent.append(items)
        if 1 in items:
            raise ZeroDivisionError
        return [10 * item for item in items]

    batcher: Batcher[int, int] = Batcher(run, Limits(statements=1, rows=3))
    got = await answers([asked(batcher.call(n, campaign=1)) for n in range(6)])
    assert [type(answer) for answer in got[:3]] == [ZeroDivisionError] * 3
    assert got[3:] == [30, 40, 50]
    assert await batcher.call(7, campaign=1) == 70
    assert sent == [[0, 1, 2], [3, 4, 5], [7]]
    assert nothing_is_left(batcher)


async def test_too_few_answers_are_an_error_and_nobody_waits_for_ever() -> None:
    async def run(items: list[int]) -> list[int]:
        return items[:-1]

    batcher: Batcher[int, int] = Batcher(run, Limits())
    got = await answers([asked(batcher.call(n, campaign=1)) for n in range(3)])
    assert isinstance(got[2], ValueError)
    assert nothing_is_left(batcher)


async def test_a_caller_who_left_while_waiting_is_not_in_the_statement() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1)
    callers = [asked(batcher.call(n, campaign=1)) for n in range(1)]
    await moment()
    callers += [asked(batcher.call(n, campaign=1)) for n in range(1, 5)]
    await moment()
    for n in (1, 3):
        callers[n].cancel()
    await server.finish(0)
    assert server.batches == [[0], [2, 4]]
    await server.finish_all()
    got = await answers(callers)
    assert [type(answer).__name__ for answer in got] == ["tuple", "CancelledError"] * 2 + ["tuple"]
    assert nothing_is_left(batcher)


@pytest.mark.parametrize("turns", range(6))
async def test_a_statement_is_cancelled_when_all_its_callers_left_and_only_then(turns: int) -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1)
    callers = [asked(batcher.call(n, campaign=1)) for n in range(3)]
    for _ in range(turns):  # from before it is asked to after it was sent
        await asyncio.sleep(0)
    for caller in callers[:2]:
        caller.cancel()
    await moment()
    assert server.cancelled == []
    callers[2].cancel()
    await moment()
    assert server.cancelled == server.batches[:1]
    assert not server.running
    server.held = False
    assert await batcher.call("next", campaign=1) == ("answer to", "next")
    assert nothing_is_left(batcher)


@pytest.mark.parametrize("turns", range(6))
async def test_callers_who_leave_together_leave_the_lane_as_it_was(turns: int) -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=2)
    for _ in range(4):
        callers = [asked(batcher.call(n, campaign=1, target=n)) for n in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        await moment()
    server.held = False
    assert await answers([asked(batcher.call(n, campaign=1, target=n)) for n in range(3)])
    assert nothing_is_left(batcher)


async def test_a_caller_who_stays_is_told_when_the_statement_is_cancelled_from_outside() -> None:
    server = Server(held=True)
    batcher = lane_of(server)
    caller = asked(batcher.call(1, campaign=1))
    await moment()
    for task in list(batcher._running):
        task.cancel()
    (answer,) = await answers([caller])
    assert isinstance(answer, DatabaseUnavailable)


async def test_a_call_that_waited_longer_than_patience_is_told_that_its_time_is_up() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1, patience_seconds=0.05)
    first = asked(batcher.call("first", campaign=1))
    await moment()
    late = [asked(batcher.call(n, campaign=1, target=n)) for n in range(3)]
    await asyncio.sleep(0.1)
    fresh = asked(batcher.call("fresh", campaign=1))
    await moment()
    await server.finish(0)
    assert server.batches == [["first"], ["fresh"]]
    await server.finish_all()
    got = await answers([*late, first, fresh])
    assert [type(answer) for answer in got[:3]] == [DeadlineExceeded] * 3
    assert got[3:] == [("answer to", "first"), ("answer to", "fresh")]
    assert nothing_is_left(batcher)


async def test_a_statement_runs_in_nobodys_campaign_whoever_started_it() -> None:
    seen: list[Any] = []

    async def run(items: list[int]) -> list[int]:
        with pytest.raises(NoCampaign):
            current_campaign()
        seen.append((current().principal.name, current().fence, current().deadline))
        with acting(system_context("inner", 9)):  # and what it sets is gone with it
            await asyncio.sleep(0)
        return items

    with acting(system_context("maker", 5)):
        batcher: Batcher[int, int] = Batcher(run, Limits(statements=1, rows=2))
    with acting(system_context("caller", 7)):
        await answers([asked(batcher.call(n, campaign=7)) for n in range(6)])
        assert current_campaign() == 7
    assert seen == [("system:batcher", None, None)] * 3
