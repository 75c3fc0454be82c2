"""A server for lanes to talk to: it remembers its statements, and holds each until the test lets it go."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from ovasabi.kernel.batching.batcher import Batcher, Limits


class Server:
    """Answers an item with itself, or with its error; `held` statements wait until they are finished by number."""

    def __init__(self, *, held: bool = False) -> None:
        self.held = held
        self.batches: list[list[Any]] = []
        self.cancelled: list[list[Any]] = []
        self.errors: dict[Any, Exception] = {}
        self.running: set[int] = set()
        self.most = 0
        self._gates: list[asyncio.Event] = []

    async def run(self, items: list[Any]) -> list[Any]:
        """One statement."""
        number = len(self.batches)
        self.batches.append(list(items))
        self._gates.append(asyncio.Event())
        self.running.add(number)
        self.most = max(self.most, len(self.running))
        try:
            if self.held:
                await self._gates[number].wait()
            else:
                await asyncio.sleep(0)
            return [self.errors.get(item, ("answer to", item)) for item in items]
        except asyncio.CancelledError:
            self.cancelled.append(list(items))
            raise
        finally:
            self.running.discard(number)

    async def finish(self, number: int) -> None:
        """Lets a statement end, and what follows from it happen."""
        self._gates[number].set()
        await moment()

    async def finish_all(self) -> None:
        """Lets all statements end, those that are still to come too."""
        self.held = False
        for gate in self._gates:
            gate.set()
        for _ in range(1000):
            if not self.running:
                return
            await moment()
        raise AssertionError("the statements do not come to an end")


def lane_of(server: Server, **limits: Any) -> Batcher[Any, Any]:
    """A lane to that server."""
    return Batcher(server.run, Limits(**limits))


def asked(call: Awaitable[Any]) -> "asyncio.Task[Any]":
    """A caller of its own."""
    return asyncio.ensure_future(call)  # type: ignore[arg-type]


async def moment() -> None:
    """Lets the loop turn a few times; no time passes."""
    for _ in range(6):
        await asyncio.sleep(0)


async def answers(callers: list[Any]) -> list[Any]:
    """Their answers, or the errors in their place; a caller that gets none fails the test."""
    return list(await asyncio.wait_for(asyncio.gather(*callers, return_exceptions=True), 5))


def nothing_is_left(batcher: Batcher[Any, Any]) -> bool:
    """Whether the lane remembers nobody."""
    return (len(batcher._queues), batcher._rows, batcher._bytes, len(batcher._running), len(batcher._targets)) == (
        0,
        0,
        0,
        0,
        0,
    )
