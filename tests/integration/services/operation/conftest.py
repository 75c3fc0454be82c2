"""Processes that carry operations out: the database is the module's own, so what waits in it is of its tests alone."""

import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.system.operation import running


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that was left is found at once: none of these tests is about how long that takes."""
    monkeypatch.setattr(running, "POLL_SECONDS", 0.1)


@pytest_asyncio.fixture
async def registry(database: Database) -> ServiceRegistry:
    """A process of its own, as far as operations are concerned."""
    return ServiceRegistry(database)


@pytest_asyncio.fixture
async def other(database: Database) -> ServiceRegistry:
    """Another process."""
    return ServiceRegistry(database)
