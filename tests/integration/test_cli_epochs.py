"""The commands see that the log has moved, begin a new epoch, and tell of it; one begins an epoch by hand."""

import json

import pytest

from ovasabi.kernel.events.cursors import epoch_of, parse_cursor
from ovasabi.lifecycle import log_epochs
from tests.integration.kernel.fixtures import admin, make_campaign, pools
from tests.integration.kernel.test_log_epochs import all_events, epochs
from tests.integration.kernel.watching_fixtures import titles, write
from tests.integration.test_cli_commands import run

BEFORE = "4711-890616592048128"
"""A cursor as the version before issued it."""


async def told(url: str) -> dict[str, object]:
    """What `status` tells of the log."""
    answer = await run("status", "--json", OVASABI_DATABASE_URL=url, OVASABI_HOME="/nonexistent")
    return {name: value for name, value in json.loads(answer.stdout).items() if name.startswith(("log_", "feed_held"))}


async def test_migrate_begins_an_epoch_for_a_log_that_moved_and_status_tells(migrated_url: str) -> None:
    async with pools(migrated_url) as database:
        campaign = await make_campaign(database)
        await write(database, campaign, "before")
        cursor = (await all_events(database, campaign))[-1].cursor
    await log_epochs.arrive(migrated_url)
    assert await told(migrated_url) == {"log_epoch": 0, "log_moved": None, "feed_held_by": []}
    async with admin(migrated_url) as connection:
        await connection.execute("UPDATE log_epoch SET server = server + 1")
    assert (await told(migrated_url))["log_moved"] == "The database is on another server."
    planned = await run("migrate", "--plan", OVASABI_DATABASE_URL=migrated_url)
    assert (planned.returncode, planned.stdout) == (
        0, "-- The database is on another server. The event log begins a new epoch.\nSELECT log_arrived();\n",
    )  # fmt: skip
    assert await epochs(migrated_url) == [0]
    answer = await run("migrate", OVASABI_DATABASE_URL=migrated_url)
    assert answer.returncode == 0, answer.stderr
    assert "The database is on another server. The event log begins a new epoch" in answer.stderr
    assert await told(migrated_url) == {
        "log_epoch": (await epochs(migrated_url))[-1], "log_moved": None, "feed_held_by": [],
    }  # fmt: skip
    planned = await run("migrate", "--plan", OVASABI_DATABASE_URL=migrated_url)
    assert (planned.returncode, planned.stdout) == (0, "nothing to do\n")
    answer = await run("events", "new-epoch", "--reason", "by hand", OVASABI_DATABASE_URL=migrated_url)
    assert answer.returncode == 0, answer.stderr
    assert f"in epoch {(await epochs(migrated_url))[-1]};" in answer.stderr
    assert len(await epochs(migrated_url)) == 3
    async with pools(migrated_url) as database:
        await write(database, campaign, "after")
        assert titles(await all_events(database, campaign, cursor)) == ["after"]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", "must not be empty"),
        (" \t\n", "must not be empty"),
        ("x" * 501, "has 501 characters, but at most 500"),
        ("a\nb", r"the character 2 is '\n'"),
        ("a copy\x1b[2J", r"the character 7 is '\x1b'"),
    ],
)
async def test_a_reason_that_cannot_be_recorded_is_refused_and_begins_no_epoch(
    migrated_url: str, reason: str, told: str
) -> None:
    await log_epochs.arrive(migrated_url)
    answer = await run("events", "new-epoch", "--reason", reason, OVASABI_DATABASE_URL=migrated_url)
    assert (answer.returncode, told in answer.stderr) == (2, True), answer.stderr
    assert await epochs(migrated_url) == [0]


def test_a_cursor_of_the_version_before_is_one_of_the_first_epoch() -> None:
    assert parse_cursor(BEFORE) == (4711, 890616592048128)
    assert epoch_of(parse_cursor(BEFORE)) == 0
