"""A cache of results, which are reused until an event occurs in their campaign: a caller never gets a stale one."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

import msgspec

from ovasabi.database.connection import Database
from ovasabi.kernel.batching.batcher import mergeable
from ovasabi.kernel.batching.single_flight import SingleFlight
from ovasabi.kernel.call.context import PLATFORM
from ovasabi.kernel.search.generations import MAX_AGE_SECONDS, Generations

T = TypeVar("T")
MAX_BYTES = 16 << 20
OVERHEAD_BYTES = 1 << 10
"""What each result counts in addition to its size as JSON, since even an empty result takes memory."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
_MAX_CAMPAIGNS = 4096
_MAX_LOOKUPS_PER_HIT = 3
"""A lookup polls the log, which costs nearly a third of a search: it pays off if at least one lookup in three hits."""
_MAX_RECENT_KEYS = 8192
_encoder = msgspec.json.Encoder()


class CachedResult(msgspec.Struct, frozen=True):
    """A result, the campaign's generation before it was computed, and the time at which its computation began."""

    generation: int
    result: Any
    since: float
    size: int


class RecentKeys:
    """Which keys were requested recently, approximately: only the hashes of the last few thousand are stored."""

    def __init__(self) -> None:
        self._current: set[int] = set()
        self._previous: set[int] = set()

    def seen_before(self, key: Hashable) -> bool:
        """Returns whether the key was requested recently, and records this request."""
        hashed = hash(key)
        seen = hashed in self._current or hashed in self._previous
        self._current.add(hashed)
        if len(self._current) >= _MAX_RECENT_KEYS:
            self._current, self._previous = set(), self._current
        return seen


class CachedResults:
    """Results by key, bounded in bytes; the least recently used are evicted."""

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes
        self._clock = clock
        self._results: OrderedDict[Hashable, CachedResult] = OrderedDict()

    def __len__(self) -> int:
        return len(self._results)

    def get(self, key: Hashable) -> CachedResult | None:
        """Returns the cached result unless it is too old, and marks it as the most recently used."""
        cached = self._results.get(key)
        if cached is None:
            return None
        if self._clock() - cached.since >= MAX_AGE_SECONDS:
            self._drop(key)
            return None
        self._results.move_to_end(key)
        return cached

    def put(self, key: Hashable, generation: int, result: Any, since: float) -> None:
        """Caches a result, unless one of a later generation is cached, and evicts the least recently used ones."""
        previous = self._results.get(key)
        if previous is not None and previous.generation > generation:
            return
        # Callers that shared a read each cache the same object, whose size is already known.
        same = previous is not None and previous.result is result
        size = previous.size if same and previous is not None else OVERHEAD_BYTES + len(_encoder.encode(result))
        if previous is not None:
            self._drop(key)
        if size > self._max_bytes:
            return
        self._results[key] = CachedResult(generation, result, since, size)
        self.bytes += size
        while self.bytes > self._max_bytes:
            self._drop(next(iter(self._results)))

    def _drop(self, key: Hashable) -> None:
        self.bytes -= self._results.pop(key).size


class HitRate(msgspec.Struct):
    """The lookups and hits of one generation of a campaign, and the pause that follows if too few of them hit."""

    generation: int
    lookups: int = 0
    hits: int = 0
    pause: float = 0.0
    paused_until: float = 0.0


class CacheAdmission:
    """Stops caching for a campaign after a generation with too few hits; each pause is longer than the one before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hit_rates: OrderedDict[int, HitRate] = OrderedDict()

    def admits(self, campaign: int) -> bool:
        """Returns whether to use the cache for the campaign now."""
        rate = self._hit_rates.get(campaign)
        return rate is None or self._clock() >= rate.paused_until

    def record(self, campaign: int, generation: int, *, hit: bool) -> None:
        """Records a lookup in the cache."""
        rate = self._hit_rates.setdefault(campaign, HitRate(generation))
        self._hit_rates.move_to_end(campaign)
        if len(self._hit_rates) > _MAX_CAMPAIGNS:
            self._hit_rates.popitem(last=False)
        if not self.admits(campaign):
            return  # a lookup that began before the pause
        if generation > rate.generation:
            self._end_generation(rate)
            rate.generation, rate.lookups, rate.hits = generation, 0, 0
        if self.admits(campaign):
            rate.lookups += 1
            rate.hits += hit

    def _end_generation(self, rate: HitRate) -> None:
        # A generation without lookups began and ended during a pause, which says nothing about the time after it.
        if rate.lookups:
            paid_off = rate.hits * _MAX_LOOKUPS_PER_HIT >= rate.lookups
            rate.pause = 0.0 if paid_off else min(max(2 * rate.pause, FIRST_PAUSE), LONGEST_PAUSE)
            rate.paused_until = self._clock() + rate.pause


class ResultCache:
    """Caches results that depend only on a campaign's own entities; polls the campaign's events before reusing one.

    A cached result is as current as a new one: it includes everything that was committed before the call, by whichever
    process. The first request for a key costs nothing extra: the log is not polled and the result is not cached, so
    queries that are never repeated evict nothing. Where events are more frequent than repeated queries, caching pauses
    for a while. Results are shared, so callers must not modify them. Changes that do not log an event become visible
    after at most `MAX_AGE_SECONDS`.
    """

    def __init__(
        self, database: Database, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.results = CachedResults(max_bytes, clock)
        self._max_bytes = max_bytes
        self._clock = clock
        self._recent_keys = RecentKeys()
        self._admission = CacheAdmission(clock)
        self._generations = Generations(database, clock)
        self._single_flight = SingleFlight()

    async def get(self, key: Hashable, campaign: int, query: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of `query`, cached or new. The key must determine the result within the campaign.

        The cache is not used in a transaction or under a lease, nor on the platform, where a result may depend on
        every campaign.
        """
        cache_key = (campaign, key)
        uncacheable = not mergeable() or campaign == PLATFORM or not self._max_bytes
        if uncacheable or not self._recent_keys.seen_before(cache_key) or not self._admission.admits(campaign):
            return await self._single_flight.run(key, campaign, query)
        generation = await self._generations.generation(campaign)
        cached = self.results.get(cache_key)
        hit = cached is not None and cached.generation >= generation
        self._admission.record(campaign, generation, hit=hit)
        if cached is not None and hit:
            cached_result: T = cached.result
            return cached_result
        since = self._clock()
        result = await self._single_flight.run(key, campaign, query)
        self.results.put(cache_key, generation, result, since)
        return result
