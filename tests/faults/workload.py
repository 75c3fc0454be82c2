"""Callers who create, change, move, count and delete, and remember what was acknowledged."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import httpx
import msgspec

SECONDS = 60.0
"""How long a caller repeats a call whose outcome it does not know, before the test fails."""
CALLERS = 6
TRANSIENT = (429, 500, 502, 503, 504)


class Written(msgspec.Struct):
    """What a caller knows of a content that it created."""

    id: int
    version: int
    title: str
    comments: int = 0
    deleted: bool = False


class Ledger(msgspec.Struct):
    """What was acknowledged, by key, and the answers by their status."""

    written: dict[str, Written] = {}
    statuses: Counter[str] = msgspec.field(default_factory=Counter)
    problems: list[str] = []


class Caller:
    """One caller: each of its calls is repeated until its outcome is known."""

    def __init__(self, number: int, client: httpx.AsyncClient, path: str, ledger: Ledger, seed: int) -> None:
        self._name, self._client, self._path, self._ledger = f"c{number}", client, path, ledger
        self._random = random.Random(f"{seed}/{number}")
        self._count = 0

    async def work(self, ended: asyncio.Event) -> None:
        """Works until the end."""
        while not ended.is_set():
            await self._create()
            for act in self._random.sample((self._change, self._comment, self._publish, self._delete), 3):
                await act()
            await asyncio.sleep(self._random.random() * 0.02)

    async def _create(self) -> None:
        self._count += 1
        key = f"{self._name}-{self._count}"
        headers = {"idempotency-key": key}
        made = await self._sure("POST", "", {"title": key, "tags": [self._name]}, headers)
        self._expect(made, 201)
        if made.status_code == 201:
            body = made.json()
            self._ledger.written[key] = Written(body["id"], body["version"], key)

    async def _change(self) -> None:
        one = self._some()
        if one is None:
            return
        title = f"{one.title}+"
        # Repeated with the version that it had, a change that took effect is refused: then it is looked up.
        done = await self._sure("PATCH", f"/{one.id}", {"title": title}, {"if-match": f'"{one.version}"'})
        if done.status_code == 412:
            done = await self._sure("GET", f"/{one.id}")
        self._expect(done, 200)
        if done.status_code == 200:
            found = done.json()
            if (found["title"], found["version"]) != (title, one.version + 1):
                self._ledger.problems.append(f"{one}: changed to {title}, it is {found['title']} {found['version']}")
            one.title, one.version = found["title"], found["version"]

    async def _publish(self) -> None:
        one = self._some()
        if one is None:
            return
        done = await self._sure("POST", f"/{one.id}:publish", headers={"if-match": f'"{one.version}"'})
        if done.status_code in (409, 412):  # it was published before, by this call or an earlier one
            done = await self._sure("GET", f"/{one.id}")
        self._expect(done, 200)
        if done.status_code == 200:
            one.version = done.json()["version"]

    async def _comment(self) -> None:
        one = self._some()
        if one is None:
            return
        self._count += 1
        path, key = self._path.replace("contents", "comments"), f"{self._name}-k{self._count}"
        body = {"content_id": one.id, "body": key}
        done = await self._sure("POST", path, body, {"idempotency-key": key}, whole=True)
        self._expect(done, 201)
        one.comments += 1

    async def _delete(self) -> None:
        one = self._some()
        if one is None or one.comments or self._random.random() < 0.7:
            return
        done = await self._sure("DELETE", f"/{one.id}", headers={"if-match": f'"{one.version}"'})
        if done.status_code == 404:  # an attempt whose answer was lost has deleted it
            done = httpx.Response(200)
        self._expect(done, 200)
        one.deleted, one.version = True, one.version + 1

    def _some(self) -> Written | None:
        own = [one for key, one in self._ledger.written.items() if key.startswith(f"{self._name}-") and not one.deleted]
        return self._random.choice(own[-20:]) if own else None

    def _expect(self, response: httpx.Response, status: int) -> None:
        if response.status_code != status:
            self._ledger.problems.append(f"{status} was expected: {response.status_code} {response.text[:300]}")

    async def _sure(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, *, whole: bool = False
    ) -> httpx.Response:
        """The answer to a call, which is repeated while its outcome is not known."""
        clock = asyncio.get_running_loop().time
        end = clock() + SECONDS
        address = path if whole else self._path + path
        while True:
            try:
                response = await self._client.request(method, address, json=body, headers=headers)
                self._ledger.statuses[str(response.status_code)] += 1
                if response.status_code not in TRANSIENT:
                    return response
                what = response.text
                if response.status_code == 500:
                    self._ledger.problems.append(f"{method} {address}: {what[:300]}")
            except httpx.TransportError as error:
                self._ledger.statuses[type(error).__name__] += 1
                what = repr(error)
            if clock() > end:
                raise AssertionError(f"{method} {address} has no outcome after {SECONDS:g} s: {what[:300]}")
            await asyncio.sleep(0.05 + 0.2 * self._random.random())


class Follower:
    """Follows the feed of a campaign by watching it, and resumes from its last cursor whatever breaks."""

    def __init__(self, client: httpx.AsyncClient, path: str) -> None:
        self._client, self._path = client, path
        self.ids: list[int] = []
        self.cursor = ""
        self.breaks = 0

    async def follow(self) -> None:
        """Follows until it is cancelled."""
        while True:
            with suppress(httpx.TransportError):
                await self._watch()
            self.breaks += 1
            await asyncio.sleep(0.1)

    async def _watch(self) -> None:
        headers = {"last-event-id": self.cursor} if self.cursor else {}
        async with self._client.stream("GET", self._path, headers=headers, timeout=30) as response:
            event: dict[str, str] = {}
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                    continue
                if event.get("id") and "data" in event and event.get("event") != "error":
                    if (found := msgspec.json.decode(event["data"]).get("event")) is not None:
                        self.ids.append(found["id"])
                    self.cursor = event["id"]
                event = {}
