"""Single flight: identical concurrent reads share one result, whose read starts after each of them has arrived."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from ovasabi.kernel.batching.batcher import Batcher, Limits, mergeable
from ovasabi.kernel.call.context import in_campaign

T = TypeVar("T")
ONE_AT_A_TIME = Limits(statements=1)


class SingleFlight:
    """Pages and searches that several callers request at once. Results are shared, so callers must not modify them.

    Callers that arrive while a read is running wait for the next one, so that each caller sees its own earlier writes.
    """

    def __init__(self) -> None:
        self._batchers: dict[Hashable, Batcher[None, Any]] = {}

    async def run(self, key: Hashable, campaign: int, read: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of `read`, which runs in the campaign but without any caller's context."""
        if not mergeable():
            return await read()
        batcher = self._batchers.get((campaign, key))
        if batcher is None:

            async def once(callers: list[None]) -> list[T]:
                with in_campaign(campaign):
                    return [await read()] * len(callers)

            batcher = self._batchers[campaign, key] = Batcher(once, ONE_AT_A_TIME)
        try:
            result: T = await batcher.call(None, campaign=campaign)
            return result
        finally:
            # A caller that got its result may have called again already, with a new batcher that others must share.
            if batcher.idle and self._batchers.get((campaign, key)) is batcher:
                del self._batchers[campaign, key]
