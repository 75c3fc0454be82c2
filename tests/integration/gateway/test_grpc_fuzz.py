"""Remote procedures under random and broken messages: no internal error, details always, others untouched.

The procedures that types have in common are those of representatives. OVASABI_TEST_FUZZ_EXAMPLES is the number of
messages for each procedure, if it is to be more than in the tests: then those of every type, and other ones each time.
"""

import logging
import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import grpc
import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ovasabi.database.connection import Database
from ovasabi.discovery import discover
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import Scope, declared
from ovasabi.kernel.declare.methods import MethodKind
from ovasabi.kernel.service import ServiceRegistry, declared_methods
from ovasabi.security.keys import create_key
from tests.conftest import new_campaign
from tests.integration.drafts import Maker, within
from tests.integration.gateway.fuzzing_fixtures import World, bodies, metadata
from tests.integration.gateway.grpc_fixtures import Refused, Wire, contract, rpcs
from tests.integration.kernel.fixtures import CAMPAIGN_TABLES
from tests.representatives import is_represented, representatives

discover()
TYPES = sorted(
    method.subject.singular
    for method in declared_methods()
    if method.operation is MethodKind.CREATE and declared[method.subject.singular].scope is not Scope.ROOT
)
EXAMPLES = int(os.environ.get("OVASABI_TEST_FUZZ_EXAMPLES", "0"))
KEPT = declared.keys() if EXAMPLES else representatives(declared.values())
NAMES = sorted(rpc.name for rpc in contract().rpcs if not is_represented(rpc.method, set(KEPT)))
FUZZED = settings(
    max_examples=EXAMPLES or 10, derandomize=not EXAMPLES, deadline=None, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
NEVER = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
OF_GRPC = {grpc.StatusCode.DEADLINE_EXCEEDED}
"""What the client says by itself when it waits no longer."""


class Range(msgspec.Struct):
    """Where the fuzzing happens: calls by the keys of the platform and of one campaign, and what they may meet."""

    operator: Wire
    confined: Wire
    world: World
    both: World
    closed: int
    database_url: str
    before: list[str] = []
    answered: set[str] = set()
    """The procedures that took some of what was sent."""

    async def closed_rows(self) -> list[str]:
        """Every row of the closed campaign in every table."""
        connection = await asyncpg.connect(self.database_url)
        try:
            tables = [row["name"] for row in await connection.fetch(CAMPAIGN_TABLES)]
            assert {"master", "service_event", "service_content_main"} <= set(tables)
            rows = [
                [f"{table}: {row[0]}" for row in await connection.fetch(
                    f"SELECT t::text FROM {table} t WHERE campaign_id = $1", self.closed)]
                for table in tables
            ]  # fmt: skip
        finally:
            await connection.close()
        return sorted(row for found in rows for row in found)


@pytest_asyncio.fixture(scope="module")
async def ground(
    addresses: tuple[str, str], registry: ServiceRegistry, database: Database, database_url: str
) -> AsyncIterator[Range]:
    """An open campaign, spare ones that may be deleted, and a closed one, each with entities."""
    opened, closed, *spare = [await new_campaign(registry) for _ in range(6)]
    ids = {number: await _filled(registry, number) for number in (opened, closed)}
    key = await create_key(database.url, "fuzz", Role.ADMIN)
    own = await create_key(database.url, "fuzz", Role.ADMIN, campaign_id=opened)
    async with Wire(addresses[1], f"Bearer {key}") as operator, Wire(addresses[1], f"Bearer {own}") as confined:
        world = World([str(opened)], [str(number) for number in spare], ids[opened])
        both = World([str(opened), str(closed)], [str(closed)], {
            name: found + ids[closed][name] for name, found in ids[opened].items()
        })  # fmt: skip
        made = Range(operator, confined, world, both, closed, database_url)
        made.before = await made.closed_rows()
        yield made


async def _filled(registry: ServiceRegistry, campaign: int) -> dict[str, list[str]]:
    """Entities of each type in a campaign, one of each deleted; their ids by type."""
    maker, ids = Maker(registry, campaign), dict[str, list[str]]()
    for name in TYPES:
        made = [await maker.create(name) for _ in range(3)]
        with within(made[-1]):
            await maker.acts(name).delete(made[-1].id)
        ids[name] = [str(one.id) for one in made]
    return ids


def sound(told: Any) -> None:
    """The answer is one, or a refusal with all its details and nothing of the inside."""
    if isinstance(told, Refused):
        assert told.status not in NEVER, told
        assert told.code or told.status in OF_GRPC, told
        assert not told.code or "RequestInfo" in told.details, told
        assert "Traceback" not in told.text


@pytest.mark.parametrize("name", NAMES)
@FUZZED
@given(data=st.data())
async def test_a_procedure_answers_or_refuses_whatever_is_sent(
    name: str, ground: Range, caplog: pytest.LogCaptureFixture, data: st.DataObject
) -> None:
    rpc = rpcs()[name]
    by_operator = data.draw(st.booleans())
    wire, world = (ground.operator, ground.world) if by_operator else (ground.confined, ground.both)
    body, given = data.draw(bodies(rpc, world)), data.draw(metadata())
    # A watch has no end: only how it begins is looked at.
    told = await wire.ask(name, body, metadata=given, timeout=0.2 if rpc.streams else 30)
    sound(told)
    if not isinstance(told, Refused):
        ground.answered.add(name)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_afterwards_the_server_answers_and_the_closed_campaign_is_as_it_was(ground: Range) -> None:
    assert (await ground.operator.ask("ListCampaigns", page_size=1)).campaigns
    rows = await ground.closed_rows()
    assert any(row.startswith("service_content_main") for row in rows)
    assert rows == ground.before
    assert len(ground.answered) > len(NAMES) / 3, "most of what was sent was refused before it came to anything"
