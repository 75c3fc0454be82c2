"""Kept answers by themselves: how many, how large, how long; and what a moment of the database says of another."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ovasabi.kernel.search.generations import KEEP_SECONDS, Moment
from ovasabi.kernel.search.result_cache import EACH_BYTES, Answers, Repeats

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LAST = str((1 << 64) - 1)


class Clock:
    """A clock that goes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def size_of(answer: object) -> int:
    """What an answer counts."""
    return EACH_BYTES + len(msgspec.json.encode(answer))


def test_the_answers_that_were_not_used_for_longest_make_room_when_there_are_too_many_bytes() -> None:
    answers = Answers(3 * size_of("x" * 100) + 10, Clock())
    for place in "abc":
        answers.put(place, 1, "x" * 100, 0.0)
    assert answers.bytes == 3 * size_of("x" * 100)
    assert answers.get("a") is not None
    answers.put("d", 1, "x" * 100, 0.0)
    assert [place for place in "abcd" if answers.get(place)] == ["a", "c", "d"]
    answers.put("e", 1, "x" * (100 + EACH_BYTES), 0.0)
    assert [place for place in "abcde" if answers.get(place)] == ["d", "e"]
    assert answers.bytes == size_of("x" * 100) + size_of("x" * (100 + EACH_BYTES))


def test_the_bytes_are_those_of_what_is_there_however_often_it_was_replaced() -> None:
    answers = Answers(1 << 20, Clock())
    for generation in range(50):
        answers.put(generation % 7, generation, "x" * generation, 0.0)
    assert len(answers) == 7
    assert answers.bytes == sum(size_of("x" * generation) for generation in range(43, 50))


def test_an_answer_larger_than_all_the_room_is_not_kept_and_pushes_nothing_out() -> None:
    answers = Answers(2 * EACH_BYTES, Clock())
    answers.put("small", 1, "x", 0.0)
    answers.put("large", 1, "x" * 2 * EACH_BYTES, 0.0)
    assert answers.get("large") is None
    assert answers.get("small") is not None
    answers.put("small", 2, "x" * 2 * EACH_BYTES, 0.0)
    assert (answers.get("small"), answers.bytes, len(answers)) == (None, 0, 0)


def test_an_answer_is_kept_for_a_minute_from_when_it_was_looked_for() -> None:
    clock = Clock()
    answers = Answers(1 << 20, clock)
    answers.put("a", 1, "x", 5.0)
    clock.now = 4.9 + KEEP_SECONDS
    assert answers.get("a") is not None
    clock.now = 5.0 + KEEP_SECONDS
    assert answers.get("a") is None
    assert (answers.bytes, len(answers)) == (0, 0)


def test_an_older_generation_does_not_replace_a_newer_one() -> None:
    answers = Answers(1 << 20, Clock())
    answers.put("a", 2, "new", 0.0)
    answers.put("a", 1, "old", 0.0)
    kept = answers.get("a")
    assert kept is not None
    assert (kept.generation, kept.answer) == (2, "new")


def test_a_question_is_a_repeat_from_its_second_time_on_until_thousands_of_others_came() -> None:
    repeats = Repeats()
    assert [repeats.again("a") for _ in range(3)] == [False, True, True]
    assert not any(repeats.again(number) for number in range(5000))
    assert repeats.again("a")
    assert not any(repeats.again(number) for number in range(5000, 30000))
    assert not repeats.again("a")


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
