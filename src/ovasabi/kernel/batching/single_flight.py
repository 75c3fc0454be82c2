"""Callers who ask the same thing at the same time are given one answer, which was begun after each of them asked."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from ovasabi.kernel.batching.batcher import Batcher, Limits, mergeable
from ovasabi.kernel.call.context import in_campaign

T = TypeVar("T")
ONE_AT_A_TIME = Limits(statements=1)


class SingleFlight:
    """Pages and searches that several callers want at once. Answers are shared, so nobody may change them.

    While one answer is on its way, those who come later wait for the next: what a caller wrote before it asked is in
    what it is given.
    """

    def __init__(self) -> None:
        self._batchers: dict[Hashable, Batcher[None, Any]] = {}

    async def answer(self, question: Hashable, campaign: int, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of `ask`, which runs for the campaign alone, without the rest of any caller's context."""
        if not mergeable():
            return await ask()
        batcher = self._batchers.get((campaign, question))
        if batcher is None:

            async def once(callers: list[None]) -> list[T]:
                with in_campaign(campaign):
                    return [await ask()] * len(callers)

            batcher = self._batchers[campaign, question] = Batcher(once, ONE_AT_A_TIME)
        try:
            answer: T = await batcher.call(None, campaign=campaign)
            return answer
        finally:
            # Who was answered first may have asked again already: that is another batcher, which others are to share.
            if batcher.idle and self._batchers.get((campaign, question)) is batcher:
                del self._batchers[campaign, question]
