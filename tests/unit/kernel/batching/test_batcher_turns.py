"""Whose turn it is in a lane, and how much room each campaign has in it."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovasabi.errors import Kind
from ovasabi.kernel.batching.batcher import Overloaded
from tests.unit.kernel.batching.fixtures import Server, answers, asked, lane_of, moment, nothing_is_left


async def test_a_statement_is_of_no_more_campaigns_than_the_bound_and_each_has_its_turn() -> None:
    server = Server()
    batcher = lane_of(server, statements=1, campaigns=3)
    await answers([asked(batcher.call((campaign, n), campaign=campaign)) for n in range(2) for campaign in range(10)])
    campaigns = [{campaign for campaign, _ in batch} for batch in server.batches]
    assert [len(of) for of in campaigns] == [3, 3, 3, 1]
    assert set().union(*campaigns) == set(range(10))


async def test_a_campaign_with_one_call_is_in_the_next_statement_though_another_has_a_thousand_waiting() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1, rows=16)
    crowd = [asked(batcher.call(("crowd", n), campaign=1)) for n in range(1000)]
    await moment()
    one = asked(batcher.call(("one", 0), campaign=2))
    await moment()
    assert ("one", 0) not in server.batches[0]
    await server.finish(0)
    assert ("one", 0) in server.batches[1]
    await server.finish_all()
    assert await one == ("answer to", ("one", 0))
    assert len(await answers(crowd)) == 1000


async def test_campaigns_with_much_to_do_have_equal_shares_however_many_calls_they_have() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1, rows=12)
    waiting = {1: 1000, 2: 100, 3: 60}
    callers = [asked(batcher.call((c, n), campaign=c)) for c, count in waiting.items() for n in range(count)]
    await moment()
    for number in range(10):
        await server.finish(number)
    shares = [Counter(campaign for campaign, _ in batch) for batch in server.batches[:10]]
    assert shares == [Counter({1: 4, 2: 4, 3: 4})] * 10
    await server.finish_all()
    await answers(callers)
    for campaign, count in waiting.items():
        assert [n for batch in server.batches for c, n in batch if c == campaign] == list(range(count)), "in order"


async def test_more_campaigns_than_rows_take_turns() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1, rows=4)
    callers = [asked(batcher.call((c, n), campaign=c)) for c in range(10) for n in range(20)]
    await moment()
    for number in range(5):
        await server.finish(number)
    served = Counter(campaign for batch in server.batches[:5] for campaign, _ in batch)
    assert served == Counter(dict.fromkeys(range(10), 2))
    await server.finish_all()
    await answers(callers)


async def test_beyond_the_waiting_rows_a_call_is_refused_at_once() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1, waiting_rows=10)
    callers = [asked(batcher.call("first", campaign=0))]
    await moment()
    callers += [asked(batcher.call((c, n), campaign=c)) for c in range(1, 11) for n in range(1)]
    await moment()
    with pytest.raises(Overloaded) as refused:
        await batcher.call("too many", campaign=11)
    assert (refused.value.kind, refused.value.code) == (Kind.EXHAUSTED, "overloaded")
    await server.finish_all()
    assert not any(isinstance(answer, Exception) for answer in await answers(callers))
    assert await batcher.call("again", campaign=11) == ("answer to", "again")
    assert "too many" not in [item for batch in server.batches for item in batch]
    assert nothing_is_left(batcher)


async def test_beyond_the_waiting_bytes_a_call_is_refused_at_once() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1, waiting_bytes=100)
    callers = [asked(batcher.call(0, campaign=0, size=50))]
    await moment()
    callers += [asked(batcher.call(c, campaign=c, size=30)) for c in (1, 2, 3)]
    await moment()
    with pytest.raises(Overloaded):
        await batcher.call("too large", campaign=4, size=11)
    callers.append(asked(batcher.call("fits", campaign=4, size=10)))
    await moment()
    await server.finish_all()
    assert not any(isinstance(answer, Exception) for answer in await answers(callers))
    assert nothing_is_left(batcher)


@pytest.mark.parametrize(("size", "limits"), [(0, {"waiting_rows": 20}), (10, {"waiting_bytes": 200})])
async def test_one_campaign_takes_half_of_the_room_at_most(size: int, limits: dict[str, int]) -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1, **limits)
    first = asked(batcher.call("first", campaign=1))
    await moment()
    crowd = [asked(batcher.call(("crowd", n), campaign=1, size=size)) for n in range(50)]
    await moment()
    others = [asked(batcher.call(("other", n), campaign=2, size=size)) for n in range(10)]
    await moment()
    await server.finish_all()
    refused = [isinstance(answer, Overloaded) for answer in await answers(crowd)]
    assert refused == [False] * 10 + [True] * 40
    assert not any(isinstance(answer, Exception) for answer in await answers([first, *others]))


async def test_those_refused_leave_nothing_that_could_stop_the_others() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1, rows=2, campaigns=2, waiting_rows=8)
    callers = [asked(batcher.call("first", campaign=0))]
    await moment()
    callers += [asked(batcher.call((c, n), campaign=c)) for c in (1, 2) for n in range(4)]
    await moment()
    refused = await answers([asked(batcher.call("refused", campaign=c)) for c in range(3, 30)])
    assert {type(answer) for answer in refused} == {Overloaded}
    assert set(batcher._queues) == {1, 2}
    await server.finish_all()
    assert not any(isinstance(answer, Exception) for answer in await answers(callers))
    assert nothing_is_left(batcher)


async def test_those_who_left_do_not_stop_the_ones_behind_them() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=1, campaigns=2)
    first = asked(batcher.call("first", campaign=0))
    await moment()
    gone = [asked(batcher.call(c, campaign=c)) for c in range(1, 8)]
    behind = asked(batcher.call("behind", campaign=9))
    await moment()
    for caller in gone:
        caller.cancel()
    await server.finish(0)
    assert server.batches == [["first"], ["behind"]]
    await server.finish_all()
    await answers([first, behind])
    assert nothing_is_left(batcher)


async def test_of_calls_with_one_target_one_is_under_way_in_order_and_others_overtake() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=2)
    callers = [asked(batcher.call(("hot", n), campaign=1, target="hot")) for n in range(3)]
    callers += [asked(batcher.call(("cold", n), campaign=1, target=n)) for n in range(2)]
    callers += [asked(batcher.call(("any", n), campaign=1)) for n in range(2)]
    await moment()
    assert server.batches == [[("hot", 0), ("cold", 0), ("cold", 1), ("any", 0), ("any", 1)]]
    callers.append(asked(batcher.call(("other", 0), campaign=1, target="other")))
    await moment()
    assert server.batches[1:] == [[("other", 0)]]
    await server.finish(1)
    assert len(server.batches) == 2, "the hot one is still under way"
    await server.finish(0)
    assert server.batches[2:] == [[("hot", 1)]]
    await server.finish(2)
    assert server.batches[3:] == [[("hot", 2)]]
    await server.finish_all()
    assert not any(isinstance(answer, Exception) for answer in await answers(callers))
    assert nothing_is_left(batcher)


async def test_campaigns_that_wait_for_their_targets_do_not_stop_the_ones_behind_them() -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=2, campaigns=2)
    callers = [asked(batcher.call((c, n), campaign=c, target=c)) for n in range(2) for c in (1, 2)]
    await moment()
    assert server.batches == [[(1, 0), (2, 0)]]
    callers.append(asked(batcher.call((3, 0), campaign=3, target=3)))
    await moment()
    assert server.batches[1:] == [[(3, 0)]]
    await server.finish_all()
    assert not any(isinstance(answer, Exception) for answer in await answers(callers))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(0, 6), st.sampled_from([None, None, "a", "b"]), st.integers(0, 60)),
        st.tuples(st.just("finish"), st.integers(0, 3)),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("turn"), st.integers(1, 4)),
        st.tuples(st.just("rest")),
    ),
    max_size=60,
)
LIMITS = {"rows": 4, "campaigns": 2, "bytes": 100, "waiting_rows": 12, "waiting_bytes": 400}


@settings(deadline=None, max_examples=300)
@given(steps=STEPS, statements=st.integers(1, 3))
async def test_whatever_comes_in_between_each_call_is_answered_once_and_with_its_own_answer(
    steps: list[tuple[Any, ...]], statements: int
) -> None:
    server = Server(held=True)
    batcher = lane_of(server, statements=statements, **LIMITS)
    callers: list[asyncio.Task[Any]] = []
    asked_for: list[tuple[int, str | None, int]] = []
    for kind, *rest in steps:
        if kind == "call":
            campaign, target, size = rest
            number = len(callers)
            if number % 7 == 3:
                server.errors[number] = ZeroDivisionError(number)
            place = None if target is None else (campaign, target)
            callers.append(asked(batcher.call(number, campaign=campaign, size=size, target=place)))
            asked_for.append((campaign, place, size))
        elif kind == "finish" and len(server.running) > rest[0]:
            await server.finish(sorted(server.running)[rest[0]])
        elif kind == "cancel" and len(callers) > rest[0]:
            callers[rest[0]].cancel()
        elif kind == "turn":
            for _ in range(rest[0]):
                await asyncio.sleep(0)
        elif kind == "rest":
            await moment()
        under_way = [asked_for[n][1] for batch in server.running for n in server.batches[batch] if asked_for[n][1]]
        assert len(under_way) == len(set(under_way)), "one target twice at the same time"
        if kind == "rest" and len(server.running) < statements:
            sent = {number for batch in server.batches for number in batch}
            waiting = [n for n, caller in enumerate(callers) if not caller.done() and n not in sent]
            assert {asked_for[n][1] for n in waiting} <= set(under_way), "who could go, waits beside an idle lane"
    await moment()
    await server.finish_all()
    sent = [number for batch in server.batches for number in batch]
    assert len(sent) == len(set(sent)), "nothing is sent twice"
    for number, answer in enumerate(await answers(callers)):
        if isinstance(answer, asyncio.CancelledError):
            continue
        assert (number in sent) is not isinstance(answer, Overloaded)
        assert isinstance(answer, Overloaded) or answer == server.errors.get(number, ("answer to", number))
    for batch in server.batches:
        assert len(batch) <= LIMITS["rows"]
        assert len({asked_for[number][0] for number in batch}) <= LIMITS["campaigns"]
        assert sum(asked_for[number][2] for number in batch[:-1]) < LIMITS["bytes"]
    for place in {place for _, place, _ in asked_for if place}:
        assert [n for n in sent if asked_for[n][1] == place] == sorted(n for n in sent if asked_for[n][1] == place)
    assert server.most <= statements
    assert nothing_is_left(batcher)
