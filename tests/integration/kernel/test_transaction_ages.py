"""The oldest transaction is seen by the application, which may not look into the sessions of others."""

import pytest

from ovasabi.database.connection import Database
from ovasabi.lifecycle.transaction_ages import TransactionAges
from tests.integration.kernel.fixtures import admin

pytestmark = pytest.mark.versions("18", "15")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_an_open_transaction_grows_old_and_is_forgotten_with_its_end(database: Database) -> None:
    clock = Clock()
    ages = TransactionAges(clock)
    async with admin(database.url) as connection:
        async with connection.transaction():
            await connection.fetch("SELECT 1 FROM pg_class")
            first = await ages.oldest(database.read)
            clock.now += 600
            assert await ages.oldest(database.read) >= 600
        async with connection.transaction():
            await connection.fetch("SELECT 1 FROM pg_class")
            assert await ages.oldest(database.read) <= first
            clock.now += 60
            assert 60 <= await ages.oldest(database.read) < 600
