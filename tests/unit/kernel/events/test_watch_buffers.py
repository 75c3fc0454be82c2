"""A watcher's buffer is bounded and holds what is wanted; a look is tried again for a while if its error may pass."""

from datetime import UTC, datetime

import asyncpg
import pytest

from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded
from ovasabi.kernel.batching.batcher import Overloaded
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.events.log import Event, parse_cursor
from ovasabi.kernel.events.log_poll import cursor_of, persistently, place_of
from ovasabi.kernel.events.log_tail import Subscriber, WatchLimits

CREATE, DELETE = "content:create:v1:success", "content:delete:v1:success"


def event(id: int, type: str = CREATE, entity: int = 1) -> Event:
    """An event of a transaction of the same number."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Event(id, type, 1, entity, 1, at, "system:test", None, None, {}, f"{id}-{id}")


def offered(subscriber: Subscriber, *events: Event, size: int = 1) -> list[bool]:
    """Whether there was room for each."""
    return [subscriber.offer(one, place_of(one), size) for one in events]


def taken(subscriber: Subscriber) -> list[int]:
    """The ids of all that a seat holds."""
    found = []
    while (one := subscriber.take()) is not None:
        found.append(one[1].id)
    return found


@pytest.mark.parametrize(
    ("types", "entity", "ids"),
    [(None, None, [1, 2, 3]), ([DELETE], None, [2, 3]), (None, 7, [1, 3]), ([DELETE], 7, [3])],
)
def test_a_seat_holds_what_is_wanted_and_has_room_for_the_rest(
    types: list[str] | None, entity: int | None, ids: list[int]
) -> None:
    subscriber = Subscriber(frozenset(types) if types else None, entity, WatchLimits(events=3))
    assert offered(subscriber, event(1, entity=7), event(2, DELETE), event(3, DELETE, 7)) == [True] * 3
    assert subscriber.news.is_set()
    assert taken(subscriber) == ids


def test_a_seat_is_bounded_in_events_and_bytes_and_takes_one_event_of_any_size() -> None:
    few = Subscriber(None, None, WatchLimits(events=2))
    assert offered(few, event(1), event(2), event(3)) == [True, True, False]
    small = Subscriber(None, None, WatchLimits(bytes=100))
    assert offered(small, event(1), size=1000) == [True]
    assert offered(small, event(2)) == [False]
    assert taken(small) == [1]
    assert offered(small, event(3), event(4), event(5), size=50) == [True, True, False]


def test_a_seat_that_ended_holds_nothing_and_says_why() -> None:
    subscriber = Subscriber(None, None, WatchLimits())
    offered(subscriber, event(1))
    subscriber.news.clear()
    subscriber.end(ValueError)
    assert subscriber.news.is_set()
    assert taken(subscriber) == []
    assert subscriber.failure is not None
    assert str(subscriber.failure("1-1")) == "1-1"


def test_a_place_is_written_as_the_cursor_that_is_read_as_it() -> None:
    assert place_of(event(5)) == parse_cursor(event(5).cursor) == parse_cursor(cursor_of((5, 5))) == (5, 5)
    assert parse_cursor(cursor_of((0, 0))) == parse_cursor(None)


class Failing:
    """Fails some times, then answers how often it was asked."""

    def __init__(self, error: Exception, times: float) -> None:
        self.error, self.times, self.asked = error, times, 0

    async def __call__(self) -> int:
        self.asked += 1
        if self.asked <= self.times:
            raise self.error
        return self.asked


@pytest.mark.parametrize(
    "error",
    [DatabaseUnavailable(reason="x"), DeadlineExceeded(), Overloaded(), asyncpg.TooManyConnectionsError()],
    ids=type,
)
async def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert await persistently(Failing(error, 2), 60) == 3


async def test_what_does_not_pass_is_told_at_once_and_what_goes_on_for_too_long_as_the_database_being_away() -> None:
    wrong = Failing(InvalidValue(problem="x"), 1)
    with pytest.raises(InvalidValue):
        await persistently(wrong, 60)
    assert wrong.asked == 1
    away = Failing(Overloaded(), float("inf"))
    with pytest.raises(DatabaseUnavailable):
        await persistently(away, 0.3)
    assert away.asked > 1
