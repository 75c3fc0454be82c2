"""The bounds of the cache in number, size and age; and how moments of the database compare."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ovasabi.kernel.search.generations import MAX_AGE_SECONDS, Moment
from ovasabi.kernel.search.result_cache import OVERHEAD_BYTES, CachedResults, RecentKeys

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LAST = str((1 << 64) - 1)


class Clock:
    """A clock that is set by the test."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def size_of(result: object) -> int:
    """What a result counts."""
    return OVERHEAD_BYTES + len(msgspec.json.encode(result))


def test_the_least_recently_used_results_are_evicted_when_there_are_too_many_bytes() -> None:
    results = CachedResults(3 * size_of("x" * 100) + 10, Clock())
    for key in "abc":
        results.put(key, 1, "x" * 100, 0.0)
    assert results.bytes == 3 * size_of("x" * 100)
    assert results.get("a") is not None
    results.put("d", 1, "x" * 100, 0.0)
    assert [key for key in "abcd" if results.get(key)] == ["a", "c", "d"]
    results.put("e", 1, "x" * (100 + OVERHEAD_BYTES), 0.0)
    assert [key for key in "abcde" if results.get(key)] == ["d", "e"]
    assert results.bytes == size_of("x" * 100) + size_of("x" * (100 + OVERHEAD_BYTES))


def test_the_bytes_are_those_of_the_cached_results_however_often_they_were_replaced() -> None:
    results = CachedResults(1 << 20, Clock())
    for generation in range(50):
        results.put(generation % 7, generation, "x" * generation, 0.0)
    assert len(results) == 7
    assert results.bytes == sum(size_of("x" * generation) for generation in range(43, 50))


def test_a_result_larger_than_the_cache_is_not_cached_and_evicts_nothing() -> None:
    results = CachedResults(2 * OVERHEAD_BYTES, Clock())
    results.put("small", 1, "x", 0.0)
    results.put("large", 1, "x" * 2 * OVERHEAD_BYTES, 0.0)
    assert results.get("large") is None
    assert results.get("small") is not None
    results.put("small", 2, "x" * 2 * OVERHEAD_BYTES, 0.0)
    assert (results.get("small"), results.bytes, len(results)) == (None, 0, 0)


def test_a_result_is_cached_for_a_minute_from_the_start_of_its_computation() -> None:
    clock = Clock()
    results = CachedResults(1 << 20, clock)
    results.put("a", 1, "x", 5.0)
    clock.now = 4.9 + MAX_AGE_SECONDS
    assert results.get("a") is not None
    clock.now = 5.0 + MAX_AGE_SECONDS
    assert results.get("a") is None
    assert (results.bytes, len(results)) == (0, 0)


def test_an_older_generation_does_not_replace_a_newer_one() -> None:
    results = CachedResults(1 << 20, Clock())
    results.put("a", 2, "new", 0.0)
    results.put("a", 1, "old", 0.0)
    cached = results.get("a")
    assert cached is not None
    assert (cached.generation, cached.result) == (2, "new")


def test_a_key_was_seen_before_from_its_second_time_on_until_thousands_of_others_came() -> None:
    keys = RecentKeys()
    assert [keys.seen_before("a") for _ in range(3)] == [False, True, True]
    assert not any(keys.seen_before(number) for number in range(5000))
    assert keys.seen_before("a")
    assert not any(keys.seen_before(number) for number in range(5000, 30000))
    assert not keys.seen_before("a")


@pytest.mark.parametrize(
    ("snapshot", "unseen"),
    [
        ("865:865:", [("865", LAST)]),
        ("860:865:860,863", [("860", "860"), ("863", "863"), ("865", LAST)]),
        (f"1:900:{','.join(str(xid) for xid in range(1, 200))}", [("1", LAST)]),
    ],
)
def test_unseen_are_the_transactions_that_were_running_and_all_that_begin_later(
    snapshot: str, unseen: list[tuple[str, str]]
) -> None:
    assert Moment(snapshot, NOW).unseen == unseen


@pytest.mark.parametrize(
    ("snapshot", "later", "precedes"),
    [
        ("9:9:", timedelta(0), True),
        ("10:12:10", timedelta(seconds=50), True),
        ("8:8:", timedelta(seconds=50), False),
        ("10:10:", timedelta(hours=2), False),
        ("10:10:", timedelta(hours=-2), False),
    ],
)
def test_a_server_that_went_back_or_whose_clock_was_set_is_not_compared_with_what_was_seen(
    snapshot: str, later: timedelta, precedes: bool
) -> None:
    assert Moment("9:9:", NOW).precedes(Moment(snapshot, NOW + later)) is precedes
