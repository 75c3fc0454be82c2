"""What watches hold: their number for each key, and the bytes of the events that their readers have not taken yet."""

from collections import Counter

KEY = "key:"
"""How the names of callers with an API key begin. The platform's own watches count only towards the totals."""
EVENT_BYTES = 512
"""What an event takes in addition to its text."""


class Holdings:
    """Counts the watches of each key, and what all watches and those of each key hold in bytes."""

    def __init__(self, most: int, most_of_key: int) -> None:
        self.bytes = 0
        self._most, self._most_of_key = most, most_of_key
        self._of_keys: Counter[str] = Counter()
        self._watches: Counter[str] = Counter()

    def watches_of(self, name: str) -> int:
        """Returns the number of watches of a caller; 0 for the platform itself."""
        return self._watches[name] if name.startswith(KEY) else 0

    def open(self, name: str) -> "Holding":
        """Counts a watch of a caller, until it is closed."""
        self._watches[name] += 1
        return Holding(self, name)

    def _change(self, name: str, size: int) -> None:
        self.bytes += size
        self._of_keys[name] += size
        if not self._of_keys[name]:
            del self._of_keys[name]

    def _full(self, name: str, size: int) -> str | None:
        if name.startswith(KEY) and self._of_keys[name] + size > self._most_of_key:
            return "this key"
        return "this process" if self.bytes + size > self._most else None

    def _closed(self, name: str) -> None:
        self._watches[name] -= 1
        if not self._watches[name]:
            del self._watches[name]


class Holding:
    """What one watch holds."""

    def __init__(self, holdings: Holdings, name: str) -> None:
        self._holdings, self._name = holdings, name
        self._bytes = 0
        self._open = True

    def full(self, size: int) -> str | None:
        """Returns whose limit so many more bytes would exceed, if any."""
        return self._holdings._full(self._name, size)

    def take(self, size: int) -> None:
        """Counts bytes that the watch has read."""
        if self._open:
            self._bytes += size
            self._holdings._change(self._name, size)

    def give_back(self, size: int) -> None:
        """Counts bytes no longer, since they were delivered or discarded."""
        if self._open:
            self._bytes -= size
            self._holdings._change(self._name, -size)

    def close(self) -> None:
        """Gives everything back, and the place of the watch. Calling it again has no effect."""
        if self._open:
            self.give_back(self._bytes)
            self._open = False
            self._holdings._closed(self._name)
