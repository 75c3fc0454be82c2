"""A holder has half of the calls at most, all have the whole, and what is refused is not counted."""

import pytest

from ovasabi.kernel.batching.batcher import Overloaded
from ovasabi.kernel.batching.concurrency import ALL, Concurrency


def test_a_holder_has_half_and_others_have_the_rest() -> None:
    calls = Concurrency(6)
    for _ in range(3):
        calls.enter(ALL, "a")
    with pytest.raises(Overloaded):
        calls.enter(ALL, "a")
    for _ in range(3):
        calls.enter(ALL, "b")
    with pytest.raises(Overloaded):
        calls.enter(ALL, "c")
    calls.leave(ALL, "b")
    calls.enter(ALL, "c")


def test_a_call_that_is_refused_for_one_of_its_holders_is_counted_for_none() -> None:
    calls = Concurrency(2)
    calls.enter("a")
    with pytest.raises(Overloaded):
        calls.enter(ALL, "b", "a")
    calls.enter("b")
    for holder in ("a", "b"):
        calls.leave(holder)
    assert calls._held == {}
