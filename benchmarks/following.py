"""What a reader that follows the event log costs the writers, and whether it misses anything."""

import asyncio
import http.client
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from benchmarks.lab import CAMPAIGN, Lab
from benchmarks.load import Requests
from benchmarks.plan import BenchmarkError, Measured, Plan, Run, better, run_of
from benchmarks.systems import System, start_ovasabi

DATABASE = "ovasabi_following"
PAGE = 1_000
PAUSE_SECONDS = 0.05
SETTLED_SECONDS = 1
"""After so long, what wrk had asked for and did not wait for has been written."""


class Event(msgspec.Struct):
    """Of an event, what it is known by."""

    id: int


class EventPage(msgspec.Struct):
    """A page of the feed."""

    events: list[Event]
    next_cursor: str


class Follower(threading.Thread):
    """Reads a campaign's feed from its start, page by page, and asks again a moment after it has come to the end."""

    def __init__(self, system: System) -> None:
        super().__init__(name="follower", daemon=True)
        self.seen: list[int] = []
        self.failure: Exception | None = None
        self.caught_up = threading.Event()
        self._system = system
        self._ending = threading.Event()

    def run(self) -> None:
        """Follows until told to end, and then to the end of the feed."""
        try:
            self._follow()
        except Exception as error:
            self.failure = error
            self.caught_up.set()

    def finish(self) -> list[int]:
        """The ids of all events in the order in which they came."""
        self._ending.set()
        self.join()
        if self.failure is not None:
            raise BenchmarkError(f"The reader of the event log failed: {self.failure}")
        return self.seen

    def _follow(self) -> None:
        connection = http.client.HTTPConnection(urlsplit(self._system.address).netloc, timeout=30)
        cursor = ""
        while True:
            ending = self._ending.is_set()
            path = f"/v1/campaigns/{CAMPAIGN}/events?page_size={PAGE}&after={cursor}"
            connection.request("GET", path, headers=self._system.headers)
            page = msgspec.json.decode(connection.getresponse().read(), type=EventPage)
            self.seen += [event.id for event in page.events]
            cursor = page.next_cursor
            if len(page.events) < PAGE:
                self.caught_up.set()
                if ending:
                    return
                self._ending.wait(PAUSE_SECONDS)


async def measure(lab: Lab, plan: Plan, say: Callable[[str], None]) -> list[Run]:
    """Creates at the most connections, by turns with nobody reading and with a reader that follows."""
    url = await lab.fresh(DATABASE, of_ovasabi=True)
    system = start_ovasabi(lab, url, lab.key, "following")
    system.prefixes = [f"/v1/campaigns/{CAMPAIGN}"]
    system.ids = [[0]]
    best: dict[str, Measured] = {}
    connections = max(plan.connections)
    try:
        requests = Requests(system, lab.folder)
        follower = Follower(system)
        for number in range(2 * plan.rounds + 1):
            # First a warm-up that counts for nothing; then alone and followed in turn.
            name = "create_followed" if number and number % 2 == 0 else "create_alone"
            if name == "create_followed":
                follower = Follower(system)
                follower.start()
                await asyncio.to_thread(follower.caught_up.wait, 60)
            measured = requests.measure("create", connections, plan.seconds)
            if name == "create_followed":
                await asyncio.sleep(SETTLED_SECONDS)
                missed = await _missed(lab, follower.finish())
                measured = msgspec.structs.replace(measured, errors=measured.errors + missed)
                say(f"following: {len(follower.seen):,} events read, {missed} missed, doubled or out of order")
            if number:
                best[name] = better(best.get(name), measured)
        say(", ".join(f"{name} {found.rate:,.0f}/s" for name, found in best.items()))
        return [run_of("ovasabi", name, connections, found, system.rss_mb) for name, found in best.items()]
    finally:
        system.stop()


async def _missed(lab: Lab, seen: list[int]) -> int:
    """How many events of the log the reader did not see, saw twice, or saw in another order than the log's."""
    rows = await lab.fetch(
        DATABASE, f"SELECT id FROM service_event WHERE campaign_id = {lab.campaign} ORDER BY xid, id"
    )
    log = [row[0] for row in rows]
    if log == seen:
        return 0
    return max(len(set(log) ^ set(seen)), len(seen) - len(set(seen)), 1)
