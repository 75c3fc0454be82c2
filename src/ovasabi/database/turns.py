"""Turns: each holder has at most so many of something at a time, and its others wait until one of them has ended."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """Gives each holder at most `most` turns at a time, in the order in which it asks for them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free: dict[Hashable, asyncio.Semaphore] = {}
        self._asked: Counter[Hashable] = Counter()

    @asynccontextmanager
    async def turn(self, holder: Hashable, end: float) -> AsyncIterator[None]:
        """Runs the block in a turn; raises TimeoutError if there is none until `end`, in the time of the event loop."""
        free = self._free.setdefault(holder, asyncio.Semaphore(self._most))
        self._asked[holder] += 1
        try:
            async with asyncio.timeout_at(end):
                await free.acquire()
            try:
                yield
            finally:
                free.release()
        finally:
            self._asked[holder] -= 1
            if not self._asked[holder]:
                del self._asked[holder], self._free[holder]
