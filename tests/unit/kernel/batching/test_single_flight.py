"""One answer for all who ask the same at the same time, also for those who ask again as soon as they are answered."""

import asyncio

from ovasabi.kernel.batching.single_flight import SingleFlight
from ovasabi.kernel.call.context import acting, system_context


async def test_callers_who_ask_over_and_over_share_each_answer() -> None:
    flight, asked = SingleFlight(), 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.001)
        return asked

    async def caller() -> list[int]:
        with acting(system_context("test", 1)):
            return [await flight.answer("page", 1, ask) for _ in range(10)]

    answers = await asyncio.gather(*(caller() for _ in range(32)))
    assert asked <= 12, "ten answers, and not ten for each of the callers"
    assert all(sorted(given) == given for given in answers)
    assert flight._batchers == {}
