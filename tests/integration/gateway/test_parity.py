"""Each method through each door: the same answers, the same errors, the same rights, the same pages."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import grpc
import msgspec
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.discovery import discover
from ovasabi.kernel.call.context import CLIENT_KEY, Role
from ovasabi.kernel.declare.entity import EntityType, Scope, declared
from ovasabi.kernel.declare.methods import Call, Method, MethodKind, Resource
from ovasabi.kernel.service import ServiceRegistry, declared_methods
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.security.keys import create_key
from tests.conftest import new_campaign
from tests.integration.drafts import Maker, within
from tests.integration.gateway.doors import Door, OverGrpc, OverHttp, Told, told
from tests.integration.gateway.grpc_fixtures import contract
from tests.samples import request_of

discover()
METHODS = {method.id: method for method in declared_methods()}
NOBODY = "890602085441537"


class Both:
    """Both doors, a campaign, and keys for it."""

    def __init__(self, http: Door, rpc: Door, maker: Maker, keys: dict[str, str]) -> None:
        self.http, self.grpc, self.maker, self.keys = http, rpc, maker, keys
        self.campaign = str(maker.campaign)

    async def ask(self, call: Call, key: str = "admin") -> tuple[Any, Any]:
        """What both doors answer, one after the other."""
        return await self.http.ask(call, self.keys[key]), await self.grpc.ask(call, self.keys[key])

    def call(self, method: Method, target: object = None, request: Any = None, **rest: Any) -> Call:
        """A call of a method in the campaign, or on the platform where it is of the platform."""
        campaign = None if method.resource is Resource.PLATFORM else self.campaign
        named = str(target) if target is not None and method.resource is not Resource.ITSELF else None
        return Call(method, campaign, named, request, **rest)


@pytest_asyncio.fixture
async def both(
    addresses: tuple[str, str], registry: ServiceRegistry, database: Database, campaign: int
) -> AsyncIterator[Both]:
    """Both doors and a campaign of the test's own."""
    over_http, over_grpc = OverHttp(addresses[0]), OverGrpc(contract(), addresses[1])
    other = await new_campaign(registry)
    keys = {
        "admin": f"Bearer {await create_key(database.url, 'test', Role.ADMIN)}",
        "reader": f"Bearer {await create_key(database.url, 'test', Role.READER)}",
        "stranger": f"Bearer {await create_key(database.url, 'test', Role.ADMIN, campaign_id=other)}",
        "forged": "Bearer ovk_aaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    }
    yield Both(over_http, over_grpc, Maker(registry, campaign), keys)
    await over_http.client.aclose()
    await over_grpc.channel.close()


@pytest.fixture(params=sorted(METHODS))
def method(request: pytest.FixtureRequest) -> Method:
    """Each method there is."""
    return METHODS[request.param]


@pytest.fixture(params=sorted(name for name, of in declared.items() if f"{of.plural}_create" in METHODS))
def name(request: pytest.FixtureRequest) -> str:
    """Each entity type that a client creates."""
    return str(request.param)


async def test_a_method_has_the_same_answer_through_both_doors(method: Method, both: Both) -> None:
    if method.operation is MethodKind.WATCH:
        await _same_watch(method, both)
        return
    calls = [await _prepared(method, both) for _ in range(2)]
    over_http = await both.http.ask(calls[0], both.keys["admin"])
    over_grpc = await both.grpc.ask(calls[1], both.keys["admin"])
    of = method.subject.of
    assert _general(over_http, of) == _general(over_grpc, of)
    if method.operation not in (MethodKind.VERB, MethodKind.READ):  # these may be refused by the entity's state
        assert not isinstance(over_http, Told), over_http


async def test_a_method_refuses_the_same_callers_through_both_doors(method: Method, both: Both) -> None:
    call = await _prepared(method, both)
    if method.operation is MethodKind.WATCH:
        call = msgspec.structs.replace(call, request=msgspec.structs.replace(call.request, after="none"))
    for key, code in (("forged", "unauthenticated"), ("stranger", "forbidden"), ("reader", "forbidden")):
        if key != "reader" or method.role is not Role.READER:
            over_http, over_grpc = await _refused(both, call, both.keys[key])
            assert over_http == over_grpc
            assert over_http.code == code, key
    assert await _refused(both, call, None) == [Told("unauthenticated", "Authentication required", None)] * 2
    if call.campaign is not None:
        elsewhere = msgspec.structs.replace(call, campaign="no-such-campaign")
        over_http, over_grpc = await _refused(both, elsewhere, both.keys["admin"])
        assert (over_http, over_http.code) == (over_grpc, "not_found")


async def test_what_is_not_there_and_what_has_changed_is_told_alike(method: Method, both: Both) -> None:
    if not method.on_entity:
        assert not method.takes_version
        return
    call = await _prepared(method, both)
    if method.resource is not Resource.ITSELF:
        for target in (NOBODY, "not-an-id", "019a0000-0000-7000-8000-000000000000"):
            over_http, over_grpc = await both.ask(msgspec.structs.replace(call, target=target))
            assert (over_http, over_http.code) == (over_grpc, "not_found")
    if method.takes_version:
        over_http, over_grpc = await both.ask(msgspec.structs.replace(call, expected_version=99))
        assert (over_http, over_http.code) == (over_grpc, "version_conflict")


async def test_what_one_door_makes_the_other_one_shows(name: str, both: Both) -> None:
    create, get = METHODS[f"{declared[name].plural}_create"], METHODS[f"{declared[name].plural}_get"]
    for first, second in ((both.http, both.grpc), (both.grpc, both.http)):
        draft = msgspec.convert(await both.maker.draft(name), declared[name].draft)
        key = f"{CLIENT_KEY}{datetime.now(UTC).timestamp()}"
        made = await first.ask(both.call(create, request=draft, key=key), both.keys["admin"])
        assert not isinstance(made, Told), made
        target = both.call(get, made.id)
        if declared[name].scope is Scope.ROOT:
            target = msgspec.structs.replace(target, campaign=str(made.campaign_id))
        for seen in (target, msgspec.structs.replace(target, as_of=datetime.now(UTC))):
            assert await second.ask(seen, both.keys["admin"]) == made
        # The same create again, through the other door, is the same create.
        assert await second.ask(both.call(create, request=draft, key=key), both.keys["admin"]) == made
        other = msgspec.structs.replace(draft, metadata={"tags": ["other"]})
        refused = await second.ask(both.call(create, request=other, key=key), both.keys["admin"])
        assert refused.code == "idempotency_key_reused"


async def test_a_page_of_one_door_goes_on_through_the_other(both: Both) -> None:
    for number in range(7):
        await both.maker.create("content", {"title": f"Content {number}"})
    listing, seen, token = METHODS["contents_list"], [], ""
    for turn in range(4):
        door = (both.http, both.grpc)[turn % 2]
        request = ListRequest(page_size=2, page_token=token, include_total=True)
        page = await door.ask(both.call(listing, request=request), both.keys["admin"])
        seen += [item.title for item in page.items]
        assert page.total_size == 7
        token = page.next_page_token
    assert (seen, token) == ([f"Content {number}" for number in range(6, -1, -1)], "")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ListRequest(page_size=0), "page_size"),
        (ListRequest(page_token="nonsense"), "page_token"),
        (ListRequest(filter="nonsense = 1"), "filter"),
        (ListRequest(order_by="nonsense"), "order_by"),
    ],
)
async def test_a_bad_list_is_refused_alike(both: Both, request_: ListRequest, field: str) -> None:
    over_http, over_grpc = await both.ask(both.call(METHODS["contents_list"], request=request_))
    assert (over_http, over_http.field) == (over_grpc, field)


async def _same_watch(method: Method, both: Both) -> None:
    await both.maker.create("content", {"title": "Watched"})
    call = both.call(method, request=msgspec.convert({}, method.request))

    async def first(door: Door) -> Any:
        async with aclosing(door.listen(call, both.keys["admin"])) as answers:  # type: ignore[type-var]
            async for answer in answers:
                return answer

    over_http, over_grpc = await asyncio.wait_for(asyncio.gather(first(both.http), first(both.grpc)), 20)
    assert over_http == over_grpc
    assert not over_http.silent


async def _refused(both: Both, call: Call, authorization: str | None) -> list[Told]:
    if call.method.operation is not MethodKind.WATCH:
        return [await both.http.ask(call, authorization), await both.grpc.ask(call, authorization)]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await anext(both.grpc.listen(call, authorization))
    return [await both.http.ask(call, authorization), told(refused.value)]


async def _prepared(method: Method, both: Both) -> Call:
    """A call that a method could be given: on an entity of its own, with a request that its type allows."""
    of = method.subject.of
    if of is None:
        content = await both.maker.create("content", {"title": "Prepared"})
        request = None if method.request is None else request_of(method.request)
        return both.call(method, content.id if method.on_entity else None, request)
    made = await both.maker.create(of.name) if method.on_entity else None
    if made is not None and method.operation is MethodKind.RESTORE:
        with within(made):
            await both.maker.service(of.name).delete(made.id)
    if made is not None and of.scope is Scope.ROOT:
        return Call(method, str(made.campaign_id), None, await _request(method, both))
    return both.call(method, made.id if made is not None else None, await _request(method, both))


async def _request(method: Method, both: Both) -> Any:
    of = method.subject.of
    if method.request is None or of is None:
        return None
    if method.operation is MethodKind.CREATE:
        return msgspec.convert(await both.maker.draft(of.name), method.request)
    if method.operation is MethodKind.UPDATE:
        return msgspec.convert(await both.maker.patch(of.name), method.request)
    return request_of(method.request)


def _general(value: Any, of: EntityType | None = None) -> Any:
    """An answer without what is of its own entity: ids, moments, natural keys, and names that were made up."""
    if isinstance(value, Told):
        return value
    own = {name for group in (() if of is None else of.unique) for name in group}
    text = msgspec.json.encode(_without(msgspec.to_builtins(value), own), order="sorted").decode()
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}", "UUID", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f-]{17}", "ANY UUID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "MOMENT", text)
    text = re.sub(r"\b\d{15,}\b", "ID", text)
    text = re.sub(r'"campaign_id":\d+', '"campaign_id":0', text)
    return re.sub(r"[0-9a-f]{12,}", "HEX", text)


def _without(value: Any, names: set[str]) -> Any:
    """The same, but each value of one of those names is only what it is of."""
    if isinstance(value, dict):
        return {key: type(inner).__name__ if key in names else _without(inner, names) for key, inner in value.items()}
    return [_without(inner, names) for inner in value] if isinstance(value, list) else value
