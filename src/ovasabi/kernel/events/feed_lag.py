"""How far the feed is behind: for how long a transaction that is still open has held back what was committed since."""

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from ovasabi.database.connection import Database, Row

SAMPLE_SECONDS = 0.5
"""How often a poll is noted at most: there are twenty a second while events arrive."""
SAMPLES = 1024
"""How many are kept; of more, every second one is dropped, and the lag is told the less exactly the longer it is."""
KNOWN_SECONDS = 10.0
"""How long after the last poll the lag is known: without watchers, and without the database, there are none."""

_lags: WeakKeyDictionary[Database, "FeedLag"] = WeakKeyDictionary()


class FeedLag:
    """What polls of one server's log have seen: when the first transaction after the present horizon had ended.

    It costs no statement, since each poll has a snapshot. A transaction that was open before the first poll counts
    from there.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends: list[tuple[float, int]] = []
        """Times, and up to which transaction some had ended by then; only those after the horizon."""
        self._newest = 0
        self._noted_at: float | None = None

    def note(self, row: Row) -> None:
        """Notes the snapshot of a poll: its `oldest` running transaction, and the `newest`, before which some ended."""
        self._see(int(row["oldest"]), int(row["newest"]))

    @property
    def seconds(self) -> float | None:
        """For how long at least events have been held back; 0 if none are, None if it is not known."""
        if self._noted_at is None or self._now() > self._noted_at + KNOWN_SECONDS:
            return None
        return round(self._now() - self._ends[0][0], 1) if self._ends else 0.0

    def _see(self, oldest: int, newest: int) -> None:
        now = self._now()
        if newest < self._newest:
            if self._noted_at is not None and now <= self._noted_at + KNOWN_SECONDS:
                return  # an earlier snapshot, of a poll that took longer than a later one
            self._ends.clear()  # the log has moved to another server
        self._noted_at, self._newest = now, newest
        self._ends = [each for each in self._ends if each[1] > oldest]
        if newest <= oldest or (self._ends and now < self._ends[-1][0] + SAMPLE_SECONDS):
            return
        if len(self._ends) >= SAMPLES:
            del self._ends[1::2]
        self._ends.append((now, newest))


def lag_of(database: Database) -> FeedLag:
    """Returns the lag of a server's feed, as the polls of this process see it."""
    if (lag := _lags.get(database)) is None:
        lag = _lags[database] = FeedLag()
    return lag
