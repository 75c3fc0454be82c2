"""A watcher's buffer is bounded and holds what is wanted; a poll is retried for a while if its error is transient."""

from datetime import UTC, datetime

import asyncpg
import pytest

from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded
from ovasabi.kernel.batching.batcher import Overloaded
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.events.cursors import cursor_of, parse_cursor
from ovasabi.kernel.events.holdings import Holdings
from ovasabi.kernel.events.log import Event
from ovasabi.kernel.events.log_poll import persistently, position_of
from ovasabi.kernel.events.log_tail import Subscriber, WatchLimits

CREATE, DELETE = "content:create:v1:success", "content:delete:v1:success"


def event(id: int, type: str = CREATE, entity: int = 1) -> Event:
    """An event of a transaction of the same number."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Event(id, type, 1, entity, 1, at, "system:test", None, None, {}, f"{id}-{id}")


def subscriber_of(
    types: frozenset[str] | None = None, entity_id: int | None = None, holdings: Holdings | None = None, **limits: int
) -> Subscriber:
    """A subscriber of the key k."""
    holding = (holdings or Holdings(1 << 30, 1 << 30)).open("key:k")
    return Subscriber(types, entity_id, WatchLimits(**limits), holding)


def offered(subscriber: Subscriber, *events: Event, size: int = 1) -> list[bool]:
    """Whether there was room for each."""
    return [subscriber.offer(one, position_of(one), size) for one in events]


def taken(subscriber: Subscriber) -> list[int]:
    """The ids of all events in a subscriber's buffer, which are removed."""
    found = []
    while (one := subscriber.take()) is not None:
        found.append(one[1].id)
    return found


@pytest.mark.parametrize(
    ("types", "entity", "ids"),
    [(None, None, [1, 2, 3]), ([DELETE], None, [2, 3]), (None, 7, [1, 3]), ([DELETE], 7, [3])],
)
def test_a_subscriber_buffers_what_is_wanted_and_skips_the_rest(
    types: list[str] | None, entity: int | None, ids: list[int]
) -> None:
    subscriber = subscriber_of(frozenset(types) if types else None, entity, events=3)
    assert offered(subscriber, event(1, entity=7), event(2, DELETE), event(3, DELETE, 7)) == [True] * 3
    assert subscriber.ready.is_set()
    assert taken(subscriber) == ids


def test_a_buffer_is_bounded_in_events_and_bytes_and_takes_one_event_of_any_size() -> None:
    few = subscriber_of(events=2)
    assert offered(few, event(1), event(2), event(3)) == [True, True, False]
    small = subscriber_of(bytes=100)
    assert offered(small, event(1), size=1000) == [True]
    assert offered(small, event(2)) == [False]
    assert taken(small) == [1]
    assert offered(small, event(3), event(4), event(5), size=50) == [True, True, False]


def test_a_subscriber_that_ended_has_an_empty_buffer_and_the_failure() -> None:
    subscriber = subscriber_of()
    offered(subscriber, event(1))
    subscriber.ready.clear()
    subscriber.end(ValueError)
    assert subscriber.ready.is_set()
    assert taken(subscriber) == []
    assert subscriber.failure is not None
    assert str(subscriber.failure("1-1")) == "1-1"


def test_the_watches_of_a_key_share_a_bound_and_all_watches_another() -> None:
    holdings = Holdings(most=300, most_of_key=200)
    one, two = (subscriber_of(holdings=holdings) for _ in range(2))
    assert offered(one, event(1), event(2), size=80) == [True, True]
    assert offered(two, event(1), event(2), size=80) == [True, False], "an empty buffer takes one event"
    other = holdings.open("key:other")
    assert other.full(61) == "this process"
    assert other.full(60) is None
    assert (two.holding.full(1), holdings.bytes) == ("this key", 240)
    one.take()
    assert holdings.bytes == 240, "it is not delivered yet"
    one.end(ValueError)
    one.holding.close()
    two.holding.give_back(80)
    assert (holdings.bytes, holdings.watches_of("key:k")) == (0, 1)
    one.holding.take(50)
    one.holding.close()
    assert (holdings.bytes, holdings.watches_of("key:k")) == (0, 1), "what is closed counts no more"


def test_a_position_is_written_as_the_cursor_from_which_it_is_parsed() -> None:
    assert position_of(event(5)) == parse_cursor(event(5).cursor) == parse_cursor(cursor_of((5, 5))) == (5, 5)
    assert parse_cursor(cursor_of((0, 0))) == parse_cursor(None)


class Failing:
    """Fails a number of times, then returns how often it was called."""

    def __init__(self, error: Exception, times: float) -> None:
        self.error, self.times, self.calls = error, times, 0

    async def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return self.calls


@pytest.mark.parametrize(
    "error",
    [DatabaseUnavailable(reason="x"), DeadlineExceeded(), Overloaded(), asyncpg.TooManyConnectionsError()],
    ids=type,
)
async def test_a_transient_error_is_retried(error: Exception) -> None:
    assert await persistently(Failing(error, 2), 60) == 3


async def test_other_errors_are_raised_at_once_and_one_that_lasts_too_long_as_database_unavailable() -> None:
    wrong = Failing(InvalidValue(problem="x"), 1)
    with pytest.raises(InvalidValue):
        await persistently(wrong, 60)
    assert wrong.calls == 1
    away = Failing(Overloaded(), float("inf"))
    with pytest.raises(DatabaseUnavailable):
        await persistently(away, 0.3)
    assert away.calls > 1
