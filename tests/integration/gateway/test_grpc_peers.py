"""Two processes' platforms on one database: what one asks the other for, whom they believe, and what if one is gone."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import OctKey

from ovasabi.database.connection import Database
from ovasabi.discovery import discover
from ovasabi.errors import DeadlineExceeded, OvasabiError
from ovasabi.gateway.admission import Caller, serve
from ovasabi.gateway.grpc.remote import PeerUnavailable, Remote
from ovasabi.kernel.call.context import Context, Principal, Role, acting
from ovasabi.kernel.call.errors import EntityNotFound, InvalidValue, KeyTaken, VersionConflict
from ovasabi.kernel.service import SearchRequest, declared_methods
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.runtime import Platform
from ovasabi.security.keys import Unauthenticated, create_key, revoke_key
from tests.conftest import eventually, new_campaign
from tests.integration.gateway.grpc_fixtures import Refused, Wire, on_grpc, within

SECRET = "the secret of the peers of this test"
HERE = ",".join(sorted(set(discover()) - {"content"}))
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Pair:
    """Two platforms: `asking` has all services but that of contents, which `asked` has alone."""

    def __init__(self, url: str, home: Path, ports: tuple[int, int]) -> None:
        self._url, self._home, self._ports = url, home, ports
        self._asked: AsyncExitStack | None = None
        self.asking: Platform
        self.asked: Platform

    async def start_asking(self, stack: AsyncExitStack) -> None:
        """Starts the one that asks."""
        given = {"services": HERE, "peers": f"content=127.0.0.1:{self._ports[1]}", "peer_secret": SECRET}
        opened = on_grpc(self._url, self._home, self._ports[0], **given)
        self.asking, _ = await stack.enter_async_context(opened)

    async def start(self) -> None:
        """Starts the one that is asked."""
        self._asked = AsyncExitStack()
        given = {"services": "content", "peers": f"*=127.0.0.1:{self._ports[0]}", "peer_secret": SECRET}
        opened = on_grpc(self._url, self._home, self._ports[1], **given)
        self.asked, self.address = await self._asked.enter_async_context(opened)

    async def stop(self) -> None:
        """Stops it."""
        if self._asked is not None:
            await self._asked.aclose()
            self._asked = None

    @property
    def contents(self) -> Remote:
        """The service of contents as the asking platform has it."""
        remote = self.asking.registry.named("content")
        assert isinstance(remote, Remote)
        return remote


@pytest_asyncio.fixture
async def pair(database_url: str, database: Database, tmp_path: Path) -> AsyncIterator[Pair]:
    """Both, running."""
    made = Pair(database_url, tmp_path, (free_port(), free_port()))
    async with AsyncExitStack() as stack:
        await made.start()
        stack.push_async_callback(made.stop)
        await made.start_asking(stack)
        yield made


def caller(
    campaign: int, role: Role = Role.ADMIN, confined: int | None = None, seconds: float | None = None
) -> Context:
    """A context of a key of that role, confined to the campaign unless another, or 0, is named."""
    principal = Principal(name="key:test", campaign_id=campaign if confined is None else confined, role=role)
    deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
    return Context(principal, campaign, deadline, correlation_id="followed-by-this", causation_id=17)


def word(seconds: int = 10, secret: str = SECRET, **claims: Any) -> str:
    """What a process says of who calls."""
    told = {"sub": "key:x", "campaign": 0, "role": "admin", "exp": int(time.time()) + seconds}
    told |= {"aud": "content", "method": "contents_list", **claims}
    return f"peer {jwt.encode({'alg': 'HS256'}, told, OctKey.import_key(secret))}"


async def test_every_operation_of_an_entity_passes_through(pair: Pair, campaign: int) -> None:
    contents = pair.contents
    with acting(caller(campaign)):
        made = await contents.create({"title": "One"}, key="own:1")
        assert await contents.create({"title": "One"}, key="own:1") == made
        changed = await contents.update(made.id, {"title": "Two"}, expected_version=1)
        assert (changed.title, changed.version) == ("Two", 2)
        assert await contents.get(str(made.uuid)) == changed
        assert (await contents.get(made.id, as_of=made.updated_at)).title == "One"
        several = await contents.create_many(
            [NewEntity({"title": "Three"}), NewEntity({"title": ""}), NewEntity({"title": "Four"})]
        )
        assert [isinstance(one, OvasabiError) for one in several] == [False, True, False]
        first = await contents.list(ListRequest(page_size=2, include_total=True))
        rest = await contents.list(ListRequest(page_size=2, page_token=first.next_page_token))
        assert [one.title for one in (*first.items, *rest.items)] == ["Four", "Three", "Two"]
        assert (first.total_size, rest.next_page_token) == (3, "")
        found = await contents.search(SearchRequest(q="two"))
        assert [hit.entity for hit in found.hits] == [changed]
        await contents.delete(made.id, expected_version=2)
        assert (await contents.restore(made.id)).title == "Two"


async def test_errors_are_of_their_own_class_on_the_other_side(pair: Pair, campaign: int) -> None:
    contents = pair.contents
    with acting(caller(campaign)):
        made = await contents.create({"title": "One", "slug": "one"})
        with pytest.raises(EntityNotFound):
            await contents.get(17)
        with pytest.raises(VersionConflict):
            await contents.update(made.id, {"title": "x"}, expected_version=9)
        with pytest.raises(KeyTaken) as taken:
            await contents.create({"title": "Two", "slug": "one"})
        assert taken.value.field == "slug"
        with pytest.raises(InvalidValue) as invalid:
            await contents.list(ListRequest(filter="nonsense = 1"))
        assert invalid.value.field == "filter"


async def test_the_callers_rights_and_name_go_with_the_call(pair: Pair, campaign: int) -> None:
    other = await new_campaign(pair.asked.registry)
    with acting(caller(campaign, Role.READER)), pytest.raises(OvasabiError) as refused:
        await pair.contents.create({"title": "x"})
    assert refused.value.code == "forbidden"
    with acting(caller(other, confined=campaign)), pytest.raises(OvasabiError) as refused:
        await pair.contents.list(ListRequest())
    assert refused.value.code == "forbidden"
    with acting(caller(campaign)):
        made = await pair.contents.create({"title": "x"})
    async with Wire(f"127.0.0.1:{pair._ports[0]}", word(aud="events", method="events_list")) as wire:
        page = await wire.ask("ListEvents", campaign=str(campaign))
    (event,) = (event for event in page.events if event.master_id == made.id)
    assert (event.actor, event.correlation_id, event.causation_id) == ("key:test", "followed-by-this", 17)


async def test_the_callers_deadline_goes_with_the_call(pair: Pair, campaign: int, database_url: str) -> None:
    with acting(caller(campaign)):
        made = await pair.contents.create({"title": "before"})
    holding, looking = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%master%'"
    try:
        async with holding.transaction():
            await holding.execute("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", made.id)
            with acting(caller(campaign, seconds=0.5)), pytest.raises(DeadlineExceeded):
                await within(10, pair.contents.update(made.id, {"title": "after"}))

            async def gone() -> bool:
                return await looking.fetchval(waiting) == 0

            await eventually(gone)
    finally:
        await holding.close()
        await looking.close()
    with acting(caller(campaign)):
        assert (await pair.contents.get(made.id)).title == "before"


async def test_a_peer_that_is_gone_is_unavailable_and_is_found_again_when_it_is_back(pair: Pair, campaign: int) -> None:
    with acting(caller(campaign)):
        made = await pair.contents.create({"title": "kept"})
        await pair.stop()
        with pytest.raises(PeerUnavailable) as gone:
            await pair.contents.get(made.id)
        assert gone.value.values == {"service": "content"}
        await pair.start()

        async def back() -> bool:
            try:
                return bool((await pair.contents.get(made.id)).title == "kept")
            except PeerUnavailable:
                return False

        await eventually(back, 20)


async def test_both_doors_tell_that_a_peer_is_gone(pair: Pair, database: Database, campaign: int) -> None:
    key = await create_key(database.url, "test", Role.ADMIN)
    await pair.stop()
    async with Wire(f"127.0.0.1:{pair._ports[0]}", f"Bearer {key}") as wire:
        told = await wire.ask("ListContents", campaign=str(campaign))
        assert (told.status, told.code) == (grpc.StatusCode.UNAVAILABLE, "peer_unavailable")
        assert {"RetryInfo", "Help"} <= set(told.details)
        assert (await wire.ask("ListQuotes", campaign=str(campaign))).quotes == []


@pytest.mark.parametrize(
    "authorization",
    [
        "peer", "peer ", "peer x.y.z", word(secret="t" * 40), word(role="owner"), word(campaign="0"),
        word().replace("peer", "Bearer"), word()[:-4] + "AAAA", word(aud="quotes"), word(method="contents_get"),
    ],
)  # fmt: skip
async def test_a_word_that_no_peer_gave_is_refused(pair: Pair, campaign: int, authorization: str) -> None:
    async with Wire(pair.address, authorization) as wire:
        told = await wire.ask("ListContents", campaign=str(campaign))
    assert isinstance(told, Refused)
    assert (told.status, told.code) == (UNAUTHENTICATED, "unauthenticated")


@pytest.mark.parametrize(("seconds", "said"), [(3600, "3590 seconds in the future"), (-3600, "3610 seconds ago")])
async def test_a_peer_whose_clock_differs_is_told_by_how_much(
    pair: Pair, campaign: int, seconds: int, said: str
) -> None:
    async with Wire(pair.address, word(seconds=seconds)) as wire:
        told = await wire.ask("ListContents", campaign=str(campaign))
    assert (told.status, told.code) == (grpc.StatusCode.UNAVAILABLE, "clocks_differ")
    number, _, rest = said.partition(" ")
    assert rest in told.text
    assert any(str(int(number) + late) in told.text for late in range(-3, 4))


async def test_a_word_of_a_peer_is_taken_for_the_services_that_run_here_and_no_others(
    pair: Pair, campaign: int
) -> None:
    async with Wire(pair.address, word()) as wire:
        assert (await wire.ask("ListContents", campaign=str(campaign))).contents == []
        for scheme in ("peer", "PEER", "Peer"):
            wire.authorization = word(aud="quotes", method="quotes_list").replace("peer", scheme)
            told = await wire.ask("ListQuotes", campaign=str(campaign))
            assert (told.status, told.code) == (grpc.StatusCode.UNAVAILABLE, "not_here")


async def test_nobody_is_vouched_for_where_no_secret_is_set(addresses: tuple[str, str], campaign: int) -> None:
    async with Wire(addresses[1], word()) as wire:
        told = await wire.ask("ListContents", campaign=str(campaign))
        assert (told.status, told.code) == (UNAUTHENTICATED, "unauthenticated")
        wire.authorization = word(secret="n" * 32)
        assert (await wire.ask("ListContents", campaign=str(campaign))).code == "unauthenticated"


async def test_a_word_is_taken_over_grpc_alone(pair: Pair, campaign: int) -> None:
    (method,) = (each for each in declared_methods() if each.id == "contents_list")

    async def called(caller: Caller) -> str:
        return await serve(pair.asked, caller, method, lambda: str(campaign), named)

    async def named(context: Context) -> str:
        return context.principal.name

    assert await called(Caller(word(), "correlation", may_be_peer=True)) == "key:x"
    with pytest.raises(Unauthenticated):
        await called(Caller(word(), "correlation"))  # as HTTP makes it


async def test_a_word_for_a_key_ends_within_a_second_of_its_revocation(
    pair: Pair, database: Database, campaign: int
) -> None:
    prefix = (await create_key(database.url, "test", Role.ADMIN)).split("_")[1]
    async with Wire(pair.address, word(sub=f"key:{prefix}")) as wire:
        assert (await wire.ask("ListContents", campaign=str(campaign))).contents == []
        await revoke_key(database.url, prefix)

        async def refused() -> bool:
            told = await wire.ask("ListContents", campaign=str(campaign))
            return isinstance(told, Refused) and told.code == "unauthenticated"

        await eventually(refused)
