"""Contracts and schemas are made at start: a thousand requests, through both doors, generate nothing."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest_asyncio
from benchmarks.generation import generated

from ovasabi.database.connection import Database
from ovasabi.discovery import discover
from ovasabi.gateway.contract.openapi.document import document
from ovasabi.gateway.contract.protobuf.contract import contract_of
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.methods import Call
from ovasabi.kernel.service import declared_methods
from ovasabi.security.keys import create_key
from tests.integration.gateway.doors import Door, OverGrpc, OverHttp, Told

REQUESTS = 1_000
NOBODY = "890602085441537"
discover()
METHODS = {method.id: method for method in declared_methods()}


@pytest_asyncio.fixture
async def doors(addresses: tuple[str, str]) -> AsyncIterator[tuple[Door, Door]]:
    """Both doors."""
    over_http, over_grpc = OverHttp(addresses[0]), OverGrpc(contract_of(declared_methods()), addresses[1])
    yield over_http, over_grpc
    await over_http.client.aclose()
    await over_grpc.channel.close()


async def test_a_thousand_requests_generate_nothing(
    doors: tuple[Door, Door], database: Database, campaign: int
) -> None:
    key = f"Bearer {await create_key(database.url, 'test', Role.ADMIN)}"
    with generated() as found:
        for number in range(REQUESTS // 10):
            for door in doors:
                answers = await five(door, key, campaign, f"Tea {number}")
                assert [isinstance(answer, Told) for answer in answers] == [False, False, False, False, True], answers
    assert found == {}


async def five(door: Door, key: str, campaign: int, title: str) -> list[Any]:
    """The answers to a create; to a get, a list and an update; and to a get of what is not there."""

    def call(operation: str, target: int | str | None = None, **request: Any) -> Call:
        method = METHODS[f"contents_{operation}"]
        asked = None if method.request is None else msgspec.convert(request, method.request)
        return Call(method, str(campaign), None if target is None else str(target), asked)

    made = await door.ask(call("create", title=title, tags=["tea"], metadata={"tags": ["green"]}), key)
    calls = [call("get", made.id), call("list", page_size=2), call("update", made.id, body=title), call("get", NOBODY)]
    return [made, *[await door.ask(call, key) for call in calls]]


def test_what_is_generated_at_start_is_seen() -> None:
    with generated() as found:
        contract = contract_of(declared_methods())
        document(declared_methods())
    assert contract.rpcs
    made_once = {"Contract.__init__", "DescriptorPool.AddSerializedFile", "GetMessageClass", "Codec._once", "document"}
    assert made_once <= {name.rpartition(" ")[2] for name in found}, found
