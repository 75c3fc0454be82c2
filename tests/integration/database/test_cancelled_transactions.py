"""A transaction whose caller has gone is rolled back without a word, and its connection serves others."""

import asyncio
from typing import Any

import pytest

from tests.integration.kernel.fixtures import eventually, pools


@pytest.mark.parametrize("limit", [None, 5.0])
async def test_a_cancelled_transaction_is_rolled_back_without_a_word(database_url: str, limit: float | None) -> None:
    told: list[Any] = []
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context))
    try:
        async with pools(database_url, readers=1, writers=1) as database:

            async def wait() -> None:
                async with database.transaction(limit) as connection:
                    await connection.execute("SELECT pg_sleep(30)")

            for _ in range(3):
                task = asyncio.create_task(wait())
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

                async def free() -> bool:
                    return bool(await database.write("SELECT 1"))

                await eventually(free)
    finally:
        loop.set_exception_handler(handler)
    assert told == []
