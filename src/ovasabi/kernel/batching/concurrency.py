"""Limits the calls that a process performs at the same time: in all, and for each caller and each campaign."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from ovasabi.kernel.batching.batcher import Overloaded


class Concurrency:
    """Counts calls, and refuses those beyond `most` with `Overloaded` at once, before they wait for a connection.

    One caller, or one campaign, may have at most half of them, so that others find room.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._share = max(1, most // 2)
        self._running = 0
        self._by_holder: dict[Hashable, int] = {}

    @contextmanager
    def call(self) -> Iterator[None]:
        """Counts a call for the duration of the block."""
        if self._running >= self._most:
            raise Overloaded
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    @contextmanager
    def share(self, holder: Hashable) -> Iterator[None]:
        """Counts a call as one of its holder's, a caller or a campaign, for the duration of the block."""
        held = self._by_holder.get(holder, 0)
        if held >= self._share:
            raise Overloaded
        self._by_holder[holder] = held + 1
        try:
            yield
        finally:
            if self._by_holder[holder] == 1:
                del self._by_holder[holder]
            else:
                self._by_holder[holder] -= 1
