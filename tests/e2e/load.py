"""64 callers over HTTP who write without pause and remember what they were told, and a reader who follows the feeds."""

import asyncio
from typing import Any

import httpx

from tests.e2e.conftest import Program

WRITERS = 64
CAMPAIGNS = 3
TROUBLE = (503, 504)


class Load:
    """Writers of several campaigns: with keys, without, and of updates; a follower for each campaign's events."""

    def __init__(self, program: Program) -> None:
        self.client = httpx.AsyncClient(
            base_url=program.address,
            headers={"authorization": f"Bearer {program.key}"},
            limits=httpx.Limits(max_connections=WRITERS + CAMPAIGNS),
            timeout=15,
        )
        self.slugs = [f"kills-{number}" for number in range(CAMPAIGNS)]
        self.numbers: dict[str, int] = {}
        self.created: dict[str, int] = {}
        """The ids of acknowledged creates by title, which is the key of those that have one."""
        self.updated: dict[int, dict[int, str]] = {}
        """By entity, the title that each acknowledged version set."""
        self.events: dict[str, list[dict[str, Any]]] = {slug: [] for slug in self.slugs}
        self.troubles = 0
        self._writing = True
        self._following = True
        self._writers: list[asyncio.Task[None]] = []
        self._followers: list[asyncio.Task[None]] = []

    @property
    def acknowledged(self) -> int:
        """How many writes were answered with success."""
        return len(self.created) + sum(len(versions) for versions in self.updated.values())

    async def start(self) -> None:
        """Makes the campaigns, and starts everybody."""
        for slug in self.slugs:
            made = await self.client.post("/v1/campaigns", json={"slug": slug, "title": slug})
            assert made.status_code == 201, made.text
            self.numbers[slug] = made.json()["campaign_id"]
        self._followers = [asyncio.create_task(self._follow(slug)) for slug in self.slugs]
        kinds = [self._create_keyed, self._create_keyed, self._create_unkeyed, self._update]
        self._writers = [asyncio.create_task(kinds[n % 4](n, self.slugs[n % CAMPAIGNS])) for n in range(WRITERS)]

    async def went_on(self, more: int, seconds: float = 40) -> None:
        """Waits until so many more writes were acknowledged, and shows the error of a writer that stopped."""
        wanted = self.acknowledged + more
        async with asyncio.timeout(seconds):
            while self.acknowledged < wanted:
                for task in (*self._writers, *self._followers):
                    if task.done():
                        task.result()
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Lets the writers come to an end, then the followers to the end of the log."""
        self._writing = False
        await asyncio.gather(*self._writers)
        self._following = False
        await asyncio.gather(*self._followers)
        await self.client.aclose()

    async def _create_keyed(self, number: int, slug: str) -> None:
        count = 0
        while self._writing:
            title = f"keyed-{number}-{count}"
            answer = await self._sent("POST", f"/v1/campaigns/{slug}/contents", title, {"idempotency-key": title})
            if answer is not None:  # else it is sent again, under its key
                self.created[title] = answer["id"]
                count += 1

    async def _create_unkeyed(self, number: int, slug: str) -> None:
        count = 0
        while self._writing:
            title = f"unkeyed-{number}-{count}"
            count += 1
            answer = await self._sent("POST", f"/v1/campaigns/{slug}/contents", title)
            if answer is not None:
                self.created[title] = answer["id"]

    async def _update(self, number: int, slug: str) -> None:
        title, made = f"updated-{number}", None
        while made is None:
            made = await self._sent("POST", f"/v1/campaigns/{slug}/contents", title, {"idempotency-key": title})
        versions = self.updated[made["id"]] = {1: title}
        count = 0
        while self._writing:
            title = f"updated-{number}-{count}"
            count += 1
            answer = await self._sent("PATCH", f"/v1/campaigns/{slug}/contents/{made['id']}", title)
            if answer is not None:
                assert answer["version"] not in versions, "two updates were told of one version"
                versions[answer["version"]] = title

    async def _sent(
        self, method: str, path: str, title: str, headers: dict[str, str] | None = None
    ) -> dict[str, Any] | None:
        """The answer to a write; none if it is not known whether it was done."""
        try:
            answer = await self.client.request(method, path, json={"title": title}, headers=headers)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code in (200, 201):
            entity = answer.json()
            assert entity["title"] == title
            return entity
        assert answer is None or answer.status_code in TROUBLE, answer.text
        self.troubles += 1
        await asyncio.sleep(0.1)
        return None

    async def _follow(self, slug: str) -> None:
        seen, cursor, empty = self.events[slug], "", 0
        while self._following or empty < 3:
            try:
                answer = await self.client.get(
                    f"/v1/campaigns/{slug}/events", params={"after": cursor, "page_size": 1000}
                )
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            assert answer.status_code in (200, *TROUBLE), answer.text
            page = answer.json() if answer.status_code == 200 else {"events": [], "next_cursor": cursor}
            seen += page["events"]
            cursor = page["next_cursor"]
            empty = 0 if page["events"] or answer.status_code != 200 else empty + 1
            await asyncio.sleep(0.1)
