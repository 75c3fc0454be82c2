"""Caching pauses where it does not pay off, longer each time, and resumes where it does."""

from ovasabi.kernel.search.result_cache import FIRST_PAUSE, LONGEST_PAUSE, CacheAdmission


class Clock:
    """A clock that is set by the test."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def generation(admission: CacheAdmission, number: int, *, lookups: int, hits: int, campaign: int = 1) -> None:
    """Records a generation with so many lookups, some of which hit."""
    for index in range(lookups):
        admission.record(campaign, number, hit=index < hits)


def paused(admission: CacheAdmission, clock: Clock, campaign: int = 1) -> float:
    """Returns how long caching is paused for a campaign from now on, and sets the clock to the end of the pause."""
    begun = clock.now
    while not admission.admits(campaign):
        clock.now += FIRST_PAUSE / 4
    return clock.now - begun


def test_pauses_get_longer_while_no_generation_pays_and_end_with_one_that_does() -> None:
    clock = Clock()
    admission = CacheAdmission(clock)
    assert admission.admits(1)
    found = []
    for number in range(1, 16):
        generation(admission, number, lookups=9, hits=2)
        found.append(paused(admission, clock))
    # The first generation after a pause is judged when it ends, whatever happened during the pause.
    assert found == [0.0, 0.25, 0.0, 0.5, 0.0, 1.0, 0.0, 2.0, 0.0, 4.0, 0.0, 8.0, 0.0, LONGEST_PAUSE, 0.0]
    for number in range(15, 19):
        generation(admission, number, lookups=9, hits=4)
        assert paused(admission, clock) == 0.0
    generation(admission, 19, lookups=1, hits=0)
    generation(admission, 20, lookups=1, hits=0)
    assert paused(admission, clock) == FIRST_PAUSE


def test_a_pause_of_one_campaign_does_not_affect_another() -> None:
    clock = Clock()
    admission = CacheAdmission(clock)
    for number in (1, 2):
        generation(admission, number, lookups=5, hits=0)
    assert not admission.admits(1)
    assert admission.admits(2)


def test_a_caller_who_is_late_with_an_older_generation_ends_none() -> None:
    clock = Clock()
    admission = CacheAdmission(clock)
    generation(admission, 5, lookups=3, hits=0)
    generation(admission, 4, lookups=1, hits=0)
    assert admission.admits(1)
