"""Deadlines in a lane: a caller's wait ends with its own, and what nobody waits for is not begun."""

import asyncio
from typing import Any

import msgspec
import pytest

from ovasabi.database import deadlines
from ovasabi.errors import DeadlineExceeded
from ovasabi.kernel.batching.batcher import Batcher, mergeable
from ovasabi.kernel.call.context import Fence, acting, current, current_or_none, deadline, system_context
from tests.unit.kernel.batching.fixtures import Server, answers, asked, lane_of, moment, nothing_is_left


def within(seconds: float | None) -> Any:
    """A context with a deadline."""
    end = None if seconds is None else asyncio.get_running_loop().time() + seconds
    return acting(msgspec.structs.replace(system_context("test", 1), deadline=end))


async def ask(batcher: Batcher[Any, Any], item: Any, seconds: float | None) -> Any:
    """A call with a deadline, or with none."""
    with within(seconds):
        return await batcher.call(item, campaign=1)


async def test_a_call_with_a_deadline_is_merged_and_one_in_a_lease_is_not() -> None:
    assert not mergeable()
    with within(5):
        assert mergeable()
        with acting(msgspec.structs.replace(current(), fence=Fence("job", 1))):
            assert not mergeable()


async def test_the_statement_knows_of_no_deadline() -> None:
    seen: list[Any] = []

    async def run(items: list[Any]) -> list[Any]:
        seen.append((deadline(), current_or_none()))
        return items

    batcher: Batcher[Any, Any] = Batcher(run, lane_of(Server())._limits)
    assert await ask(batcher, 1, 30) == 1
    assert [end for end, _ in seen] == [None]


async def test_who_is_out_of_time_is_told_and_the_others_have_their_answer() -> None:
    server = Server(held=True)
    batcher = lane_of(server)
    callers = [asked(ask(batcher, n, seconds)) for n, seconds in enumerate((None, 0.05, 30))]
    with pytest.raises(DeadlineExceeded):
        await callers[1]
    assert server.batches == [[0, 1, 2]]
    await server.finish_all()
    assert await answers([callers[0], callers[2]]) == [("answer to", 0), ("answer to", 2)]
    assert server.cancelled == []
    assert nothing_is_left(batcher)
    assert deadlines._ticks == {}


async def test_a_statement_that_all_have_left_out_of_time_is_cancelled() -> None:
    server = Server(held=True)
    batcher = lane_of(server)
    callers = [asked(ask(batcher, n, 0.05 + n / 50)) for n in range(3)]
    assert [type(answer) for answer in await answers(callers)] == [DeadlineExceeded] * 3
    await moment()
    assert server.cancelled == [[0, 1, 2]]
    assert nothing_is_left(batcher)


async def test_one_leaves_and_one_is_out_of_time_and_then_nobody_is_left() -> None:
    server = Server(held=True)
    batcher = lane_of(server)
    leaving, late = asked(ask(batcher, "leaves", None)), asked(ask(batcher, "late", 0.05))
    await moment()
    leaving.cancel()
    await moment()
    assert server.cancelled == []
    with pytest.raises(DeadlineExceeded):
        await late
    await moment()
    assert server.cancelled == [["leaves", "late"]]


async def test_what_waits_is_left_out_when_its_time_is_used_up() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1)
    first = asked(ask(batcher, "first", None))
    await moment()
    with pytest.raises(DeadlineExceeded):
        await ask(batcher, "late", 0.05)
    last = asked(ask(batcher, "last", 30))
    await moment()
    await server.finish_all()
    await answers([first, last])
    assert server.batches == [["first"], ["last"]]
    assert nothing_is_left(batcher)


async def test_of_patience_and_deadline_the_shorter_one_counts() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1, patience_seconds=0.05)
    first = asked(ask(batcher, "first", None))
    await moment()
    patient = asked(ask(batcher, "waits", 30))
    await moment()
    (call,) = batcher._queues[1].calls
    assert call.expires_at - asyncio.get_running_loop().time() <= 0.05
    await asyncio.sleep(0.06)
    await server.finish_all()
    assert [type(answer) for answer in await answers([patient])] == [DeadlineExceeded]
    await answers([first])
    assert server.batches == [["first"]]


async def test_a_passed_deadline_is_told_before_anything_waits() -> None:
    server = Server()
    batcher = lane_of(server)
    with pytest.raises(DeadlineExceeded):
        await ask(batcher, "late", -1)
    assert server.batches == []
    assert nothing_is_left(batcher)


async def test_waits_that_end_together_have_one_timer() -> None:
    loop, server = asyncio.get_running_loop(), Server(held=True)
    batcher = lane_of(server)
    end = loop.time() + 30

    async def call(n: int) -> Any:
        with acting(msgspec.structs.replace(system_context("test", 1), deadline=end)):
            return await batcher.call(n, campaign=1)

    callers = [asked(call(n)) for n in range(100)]
    await moment()
    assert sum(len(tick.waiting) for tick in deadlines._ticks.values()) == 100
    assert len(deadlines._ticks) <= 2
    timers = [tick.timer for tick in deadlines._ticks.values()]
    await server.finish_all()
    await answers(callers)
    assert deadlines._ticks == {}
    assert all(timer.cancelled() for timer in timers)
