"""A past state is folded in the order in which it came about, whatever the clock said at the time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.database.roles import APP_ROLE
from ovasabi.database.sql import load
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.statements.bounding import PAGE_BYTES
from ovasabi.kernel.store import history
from ovasabi.kernel.store.history import state_at
from ovasabi.services.content.entity import Content
from tests.integration.kernel.fixtures import admin, contents, within
from tests.integration.kernel.test_merged_plans import executed

LOGGED = """
INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor, payload)
SELECT 'operational', $1, next_id(), $2, $3, $4, $5, 'test', $6"""
DAY = 24 * 60
HISTORIES: dict[str, tuple[list[tuple[int | None, int, dict[str, Any]]], dict[int, tuple[str, int, int]]]] = {
    "the clock was set back by half an hour": (
        [(2, 60, {"title": "b"}), (3, 30, {"title": "c"}), (4, 90, {"title": "d"})],
        {0: ("a", 1, 0), 30: ("a", 1, 0), 59: ("a", 1, 0), 60: ("c", 3, 0), 89: ("c", 3, 0), 90: ("d", 4, 0)},
    ),
    "the clock was set back by days": (
        [(2, 3 * DAY, {"title": "b"}), (3, 60, {"title": "c"}), (4, 4 * DAY, {"title": "d"})],
        {60: ("a", 1, 0), 2 * DAY: ("a", 1, 0), 3 * DAY: ("c", 3, 0), 4 * DAY: ("d", 4, 0)},
    ),
    "the clock was set back to before the creation": (
        [(2, -30, {"title": "b"}), (3, 10, {"title": "c"})],
        {0: ("b", 2, 0), 9: ("b", 2, 0), 10: ("c", 3, 0)},
    ),
    "two changes of one millisecond": (
        [(2, 60, {"title": "b"}), (3, 60, {"title": "c"})],
        {59: ("a", 1, 0), 60: ("c", 3, 0)},
    ),
    "two concurrent transactions, of which the later one is first in the log": (
        [(3, 61, {"title": "c"}), (2, 60, {"title": "b"})],
        {60: ("b", 2, 0), 61: ("c", 3, 0)},
    ),
    "counts between the versions": (
        [
            (None, 10, {"comment_count": 1}),
            (2, 20, {"title": "b"}),
            (None, 15, {"comment_count": 2}),
            (None, 25, {"comment_count": 1}),
        ],
        {9: ("a", 1, 0), 10: ("a", 1, 1), 15: ("a", 1, 1), 20: ("b", 2, 2), 25: ("b", 2, 1)},
    ),
}


@pytest.mark.parametrize("part", [1000, 2, 1])
@pytest.mark.parametrize("name", HISTORIES)
async def test_the_state_at_a_time_is_that_of_the_last_event_until_then(
    database: Database, database_url: str, campaign: int, name: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_PART", part)
    events, expected = HISTORIES[name]
    with within(campaign):
        made = await contents(database).create({"title": "a"})
        async with admin(database_url) as connection:
            for version, minutes, payload in events:
                verb = "content:update:v1:success" if version else "content:count_comments:v1:success"
                text = str(payload).replace("'", '"')
                at = made.created_at + timedelta(minutes=minutes)
                await connection.execute(LOGGED, at, campaign, made.id, verb, version, text)
        for minutes, (title, version, count) in expected.items():
            found = await state_at(database, Content, made.id, made.created_at + timedelta(minutes=minutes))
            assert (found.title, found.version, found.comment_count) == (title, version, count), minutes


async def test_a_long_history_is_read_in_parts_that_are_bounded_in_bytes(
    database: Database, database_url: str, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    async def reading(*args: Any, **options: Any) -> Any:
        rows = await read(*args, **options)
        sizes.append(sum(len(msgspec.json.encode(row["payload"])) for row in rows))
        return rows

    monkeypatch.setattr(history, "read", reading)
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "a", "tags": ["kept"], "body": "0" * 500_000})
        for n in range(1, 12):
            latest = await repository.update(made.id, {"body": f"{n:x}" * 500_000})
            if n == 6:
                middle = latest
        assert await state_at(database, Content, made.id, latest.updated_at) == latest
        assert len(sizes) >= 3
        assert max(sizes) <= PAGE_BYTES
        sizes.clear()
        assert await state_at(database, Content, made.id, middle.updated_at) == middle
        assert len(sizes) <= 3
        sizes.clear()
        assert await state_at(database, Content, made.id, made.updated_at) == made
        times = made.created_at, latest.updated_at
        args = [scope_of(campaign), campaign, "operational", *times, made.id, "content", 0, 9]
        async with admin(database_url) as connection:
            await connection.execute(f"SET ROLE {APP_ROLE}; SET plan_cache_mode = force_custom_plan")
            for name in ("events", "order"):
                plan = await executed(connection, load(history.__file__)[name], *args)
                leaves = {node.get("Relation Name", "") for node in plan}
                month = f"service_event_operational_{made.created_at:%Y%m}"
                assert {leaf for leaf in leaves if leaf.startswith("service_event")} == {month}


async def test_the_end_of_time_is_a_time_like_any_other(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "a"})
        for year in (2999, 9999):
            at = datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
            assert (await state_at(database, Content, made.id, at)).title == "a"
