"""A database of these tests' own, since what waits in it is carried out by whoever looks."""

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.kernel.service import Registry
from ovasabi.lifecycle import migrations, partitions


@pytest_asyncio.fixture(scope="module")
async def own_url(server: EmbeddedServer) -> AsyncIterator[str]:
    """A migrated database of these tests' own: a server of other tests would take their work on."""
    name = f"operations_{uuid.uuid4().hex[:8]}"
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    await migrations.upgrade(server.url(name))
    yield server.url(name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest_asyncio.fixture(scope="module")
async def database(own_url: str) -> AsyncIterator[Database]:
    """Open pools on it."""
    opened = await Database(own_url, readers=4, writers=8).open()
    await partitions.ensure(opened, 1)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def registry(database: Database) -> Registry:
    """A process of its own, as far as operations are concerned."""
    return Registry(database)


@pytest_asyncio.fixture
async def other(database: Database) -> Registry:
    """Another process."""
    return Registry(database)
