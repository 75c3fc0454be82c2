"""What holds for every entity of every service: no list of them is kept here, a new one is tested by being there.

Every type is tested on PostgreSQL 18, and representatives of them on other versions.
"""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.pools import prepare_connection
from ovasabi.database.roles import APP_ROLE
from ovasabi.discovery import discover
from ovasabi.kernel.declare.entity import EntityType, Scope, declared
from ovasabi.kernel.service import ServiceRegistry
from tests.conftest import new_campaign
from tests.integration.drafts import Maker
from tests.representatives import representatives

discover()
EVERY_TYPE_ON = "18"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out, on other versions than one, the types that others stand for."""
    kept = representatives(list(declared.values()))
    left_out = [item for item in items if isinstance(item, pytest.Function) and _stood_for(item, kept)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _stood_for(item: pytest.Function, kept: set[str]) -> bool:
    params = item.callspec.params if hasattr(item, "callspec") else {}
    name = params.get("of") or params.get("partitioned")
    return name is not None and params.get("server") != EVERY_TYPE_ON and name not in kept


@pytest.fixture(params=sorted(declared))
def of(request: pytest.FixtureRequest) -> EntityType:
    """Each entity type there is."""
    return declared[request.param]


@pytest.fixture(params=sorted(name for name, of in declared.items() if of.scope is Scope.CAMPAIGN))
def partitioned(request: pytest.FixtureRequest) -> EntityType:
    """Each entity type of campaigns."""
    return declared[request.param]


@pytest_asyncio.fixture
async def maker(registry: ServiceRegistry, campaign: int) -> Maker:
    """Makes entities in a campaign of the test's own."""
    return Maker(registry, campaign)


@pytest_asyncio.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the superuser, whom row-level security does not bind: to look at the catalogue."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def app(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection in the application's role, which plans with the values that it is given."""
    settings = {"role": APP_ROLE, "plan_cache_mode": "force_custom_plan", "TimeZone": "UTC"}
    connection = await asyncpg.connect(database_url, server_settings=settings)
    await prepare_connection(connection)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module")
async def places(registry: ServiceRegistry) -> dict[str, int]:
    """Two campaigns: one in the pool, one with partitions of its own."""
    return {"pool": await new_campaign(registry), "dedicated": await new_campaign(registry, dedicated=True)}
