"""The lag of the feed: since when events have been held back, as the snapshots of polls tell it."""

from typing import Any

import pytest

from ovasabi.kernel.events import log_poll
from ovasabi.kernel.events.log_poll import KNOWN_SECONDS, FeedLag


class Clock:
    """A clock that a test moves, and the lag that polls at its times see."""

    def __init__(self) -> None:
        self.now = 100.0
        self.lag = FeedLag(lambda: self.now)

    def poll(self, at: float, oldest: int, newest: int) -> float | None:
        """The lag after a poll."""
        self.now = 100.0 + at
        row: Any = {"oldest": str(oldest), "newest": str(newest)}
        self.lag.note(row)
        return self.lag.seconds


@pytest.fixture
def clock() -> Clock:
    """A clock before the first poll."""
    return Clock()


def test_it_is_not_known_before_the_first_poll_and_some_time_after_the_last(clock: Clock) -> None:
    assert clock.lag.seconds is None
    assert clock.poll(0, 10, 10) == 0
    clock.now += KNOWN_SECONDS
    assert clock.lag.seconds == 0
    clock.now += 1
    assert clock.lag.seconds is None


def test_an_open_transaction_holds_back_from_the_end_of_the_first_one_after_it(clock: Clock) -> None:
    assert clock.poll(0, 10, 10) == 0
    assert clock.poll(5, 10, 12) == 0
    assert clock.poll(8, 10, 12) == 3
    assert clock.poll(9, 10, 99) == 4
    assert clock.poll(10, 99, 99) == 0


def test_when_one_ends_and_a_later_one_is_open_it_counts_from_what_that_one_holds_back(clock: Clock) -> None:
    clock.poll(0, 10, 20)
    clock.poll(3, 10, 30)
    clock.poll(6, 10, 40)
    assert clock.poll(9, 25, 41) == 6, "what ended after 25 was first seen at 3"
    assert clock.poll(9, 41, 41) == 0


def test_short_transactions_are_no_lag_however_many_there_are(clock: Clock) -> None:
    for step in range(1000):
        assert (clock.poll(step / 20, 10 * step, 10 * step + 9) or 0) <= 0.1


def test_an_earlier_snapshot_changes_nothing_and_another_server_begins_anew(clock: Clock) -> None:
    clock.poll(0, 10, 20)
    assert clock.poll(4, 5, 15) == 4
    clock.poll(5, 10, 20)
    for second in range(6, 6 + int(KNOWN_SECONDS)):
        clock.poll(second, 1, 3)
    assert clock.poll(16, 1, 3) == 0
    assert clock.poll(18, 1, 3) == 2


def test_what_is_kept_is_bounded_and_the_longest_lag_is_known(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_poll, "SAMPLES", 16)
    for second in range(1000):
        assert clock.poll(second, 10, 20 + second) == second
        assert len(clock.lag._ends) <= 16
