"""Turns of a holder: so many at a time, in the order of their asking, until a time, and none of another's."""

import asyncio

import pytest

from ovasabi.database.turns import Turns


def soon() -> float:
    """A moment from now."""
    return asyncio.get_running_loop().time() + 0.02


def later() -> float:
    """A time that does not come."""
    return asyncio.get_running_loop().time() + 60


async def test_a_holder_has_so_many_turns_and_others_have_theirs() -> None:
    turns = Turns(2)
    async with turns.turn("a", later()), turns.turn("a", later()), turns.turn("b", later()):
        with pytest.raises(TimeoutError):
            async with turns.turn("a", soon()):
                pass
    assert not turns._free, "nothing is kept of those who have none"
    assert not turns._asked


async def test_turns_come_in_order_and_one_that_fails_gives_its_place_away() -> None:
    turns, begun = Turns(1), list[int]()

    async def take(number: int) -> None:
        async with turns.turn("a", later()):
            begun.append(number)
            await asyncio.sleep(0)
            if number == 1:
                raise ValueError

    results = await asyncio.gather(*map(take, range(4)), return_exceptions=True)
    assert begun == [0, 1, 2, 3]
    assert [type(each).__name__ for each in results] == ["NoneType", "ValueError", "NoneType", "NoneType"]


async def test_one_that_is_cancelled_while_it_waits_takes_no_turn() -> None:
    turns = Turns(1)

    async def take() -> None:
        async with turns.turn("a", later()):
            pass

    async with turns.turn("a", later()):
        waiting = asyncio.ensure_future(take())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with turns.turn("a", soon()):
        pass
