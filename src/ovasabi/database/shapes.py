"""Which of the statements that callers shape, by their filters, sessions keep prepared: a bounded number of them."""

from collections import OrderedDict

PLACES = 100
"""How many such statements a process keeps; each takes some 50 KB in each session, and callers can write any number."""
REMEMBERED = 1_000
"""How many statements are remembered that came once."""
HELD_SECONDS = 3600.0
"""How long a place is held without use, so that statements of callers who try many do not follow each other quickly."""


class Shapes:
    """The statements that are kept: those that came twice, as long as there are places."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._kept: OrderedDict[str, float] = OrderedDict()

    def keeps(self, sql: str, now: float) -> bool:
        """Returns whether a statement, which is about to run at a time in seconds, is kept prepared."""
        if sql not in self._kept and not (self._came_before(hash(sql)) and self._has_room(now)):
            return False
        self._kept[sql] = now
        self._kept.move_to_end(sql)
        return True

    def _came_before(self, statement: int) -> bool:
        if statement in self._seen:
            return True
        self._seen[statement] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return False

    def _has_room(self, now: float) -> bool:
        if len(self._kept) < PLACES:
            return True
        longest_unused, used = next(iter(self._kept.items()))
        if now < used + HELD_SECONDS:
            return False
        del self._kept[longest_unused]
        return True
