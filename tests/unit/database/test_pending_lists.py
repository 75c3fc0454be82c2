"""The pending lists: what is due, one merge at a time, and what a failure or a stop leaves."""

import asyncio
import logging

import asyncpg
import pytest

from ovasabi.database import pending_lists
from ovasabi.database.pending_lists import DUE, PendingLists
from ovasabi.errors import DatabaseUnavailable


class Server:
    """Merges when it is let to, and records the tables and how many merges ran at once."""

    def __init__(self) -> None:
        self.merged: list[str] = []
        self.running = self.most = 0
        self.free = asyncio.Event()

    async def merge(self, table: str) -> None:
        self.merged.append(table)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.free.wait()
        finally:
            self.running -= 1


async def test_a_list_is_due_when_enough_is_written_to_its_table() -> None:
    server = Server()
    server.free.set()
    lists = PendingLists(server.merge)
    for _ in range(DUE - 1):
        lists.written("content", 1)
        lists.written("product", 1)
    await lists.settled()
    assert server.merged == []
    lists.written("content", 1)
    await lists.settled()
    lists.written("content", DUE - 1)
    await lists.settled()
    assert server.merged == ["content"]
    lists.written("content", 1)
    await lists.settled()
    assert server.merged == ["content", "content"]


async def test_lists_are_merged_one_after_another_and_each_once_while_it_waits() -> None:
    server = Server()
    lists = PendingLists(server.merge)
    for _ in range(3):
        for table in ("a", "b", "c"):
            lists.written(table, DUE)
    await asyncio.sleep(0)
    assert server.merged == ["a"]
    lists.written("b", DUE)
    server.free.set()
    await lists.settled()
    assert (server.merged, server.most) == (["a", "b", "c"], 1)


@pytest.mark.parametrize(
    "failure", [DatabaseUnavailable(reason="the server is stopping"), asyncpg.InsufficientPrivilegeError("told")]
)
async def test_a_failure_is_logged_and_the_next_list_is_merged(
    caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    merged: list[str] = []

    async def merge(table: str) -> None:
        merged.append(table)
        if table == "a":
            raise failure

    lists = PendingLists(merge)
    with caplog.at_level(logging.WARNING, "ovasabi.database"):
        lists.written("a", DUE)
        lists.written("b", DUE)
        await lists.settled()
    assert merged == ["a", "b"]
    (record,) = caplog.records
    assert "the pending lists of a were not merged" in record.getMessage()


async def test_closing_abandons_what_is_due_and_the_merge_that_runs() -> None:
    server = Server()
    lists = PendingLists(server.merge)
    lists.written("a", DUE)
    lists.written("b", DUE)
    await asyncio.sleep(0)
    await lists.close()
    assert (server.merged, server.running) == (["a"], 0)
    await lists.close()


async def test_the_tables_that_are_counted_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_lists, "TABLES", 3)
    server = Server()
    lists = PendingLists(server.merge)
    for number in range(100):
        lists.written(f"t{number}", 1)
        assert len(lists._weights) <= 3
