"""Limits the calls that a process performs at the same time: in all, and for each caller and each campaign."""

from collections.abc import Hashable
from typing import Final

from ovasabi.kernel.batching.batcher import Overloaded

ALL: Final = object()
"""The holder of every call."""


class Concurrency:
    """Counts calls, and refuses those beyond `most` with `Overloaded` at once, before they wait for a connection.

    One holder, a caller or a campaign, may have at most half of them, so that others find room. (There are no context
    managers here: they took a twentieth of the time of a short call.)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._share = max(1, most // 2)
        self._held: dict[Hashable, int] = {}

    @property
    def under_way(self) -> int:
        """The number of calls."""
        return self._held.get(ALL, 0)

    def enter(self, *holders: Hashable) -> None:
        """Counts a call for each of its holders, or for none if it is refused; `leave` must follow."""
        held = self._held
        for holder in holders:
            if held.get(holder, 0) >= (self._most if holder is ALL else self._share):
                raise Overloaded
        for holder in holders:
            held[holder] = held.get(holder, 0) + 1

    def leave(self, *holders: Hashable) -> None:
        """Ends the call."""
        held = self._held
        for holder in holders:
            if held[holder] == 1:
                del held[holder]
            else:
                held[holder] -= 1
