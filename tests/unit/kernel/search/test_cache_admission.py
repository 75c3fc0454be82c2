"""Keeping is left off where it does not pay, for longer each time, and taken up again where it does."""

from ovasabi.kernel.search.result_cache import FIRST_PAUSE, LONGEST_PAUSE, CacheAdmission


class Clock:
    """A clock that goes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def generation(thrift: CacheAdmission, number: int, *, asked: int, there: int, campaign: int = 1) -> None:
    """A generation with so many looks, of which some were for an answer that was there."""
    for place in range(asked):
        thrift.note(campaign, number, there=place < there)


def paused(thrift: CacheAdmission, clock: Clock, campaign: int = 1) -> float:
    """For how long a campaign is left alone from now on; the clock is set to its end."""
    begun = clock.now
    while not thrift.pays(campaign):
        clock.now += FIRST_PAUSE / 4
    return clock.now - begun


def test_pauses_get_longer_while_no_generation_pays_and_end_with_one_that_does() -> None:
    clock = Clock()
    thrift = CacheAdmission(clock)
    assert thrift.pays(1)
    found = []
    for number in range(1, 16):
        generation(thrift, number, asked=9, there=2)
        found.append(paused(thrift, clock))
    # The first generation after a pause is judged when it ends, whatever happened during the pause.
    assert found == [0.0, 0.25, 0.0, 0.5, 0.0, 1.0, 0.0, 2.0, 0.0, 4.0, 0.0, 8.0, 0.0, LONGEST_PAUSE, 0.0]
    for number in range(15, 19):
        generation(thrift, number, asked=9, there=4)
        assert paused(thrift, clock) == 0.0
    generation(thrift, 19, asked=1, there=0)
    generation(thrift, 20, asked=1, there=0)
    assert paused(thrift, clock) == FIRST_PAUSE


def test_one_campaign_is_no_reason_to_leave_another_alone() -> None:
    clock = Clock()
    thrift = CacheAdmission(clock)
    for number in (1, 2):
        generation(thrift, number, asked=5, there=0)
    assert not thrift.pays(1)
    assert thrift.pays(2)


def test_a_caller_who_is_late_with_an_older_generation_ends_none() -> None:
    clock = Clock()
    thrift = CacheAdmission(clock)
    generation(thrift, 5, asked=3, there=0)
    generation(thrift, 4, asked=1, there=0)
    assert thrift.pays(1)
