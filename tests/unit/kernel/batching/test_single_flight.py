"""Concurrent callers of the same read share one result, also when they call again as soon as they have it."""

import asyncio

from ovasabi.kernel.batching.single_flight import SingleFlight
from ovasabi.kernel.call.context import acting, system_context


async def test_callers_that_read_repeatedly_share_each_result() -> None:
    flight, calls = SingleFlight(), 0

    async def read() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.001)
        return calls

    async def caller() -> list[int]:
        with acting(system_context("test", 1)):
            return [await flight.run("page", 1, read) for _ in range(10)]

    results = await asyncio.gather(*(caller() for _ in range(32)))
    assert calls <= 12, "about ten reads in all, not ten for each caller"
    assert all(sorted(own) == own for own in results)
    assert flight._batchers == {}
