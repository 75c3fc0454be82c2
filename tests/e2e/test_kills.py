"""Killed without warning while 64 write: no acknowledged write is lost, none is doubled, a reader misses nothing."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import Program
from tests.e2e.load import Load

HALVES = """
SELECT (SELECT count(*) FROM master m WHERE type = 'content'
        AND NOT EXISTS (SELECT 1 FROM service_content_main s
                        WHERE s.campaign_id = m.campaign_id AND s.master_id = m.id)),
       (SELECT count(*) FROM service_content_main s
        WHERE NOT EXISTS (SELECT 1 FROM master m WHERE m.campaign_id = s.campaign_id AND m.id = s.master_id)),
       (SELECT count(*) FROM master m WHERE type = 'content'
        AND (SELECT count(*) FROM service_event e
             WHERE e.master_id = m.id AND e.event_type = 'content:create:v1:success') <> 1),
       (SELECT count(*) - count(DISTINCT key) FROM idempotency)"""


VERSIONS = """
SELECT count(*) FROM master AS m WHERE type = 'content'
AND (SELECT array_agg(e.version::int ORDER BY e.version) FROM service_event AS e WHERE e.master_id = m.id)
    IS DISTINCT FROM (SELECT array_agg(n) FROM generate_series(1, m.version) AS n)"""
ROWS = "SELECT master_id, title FROM service_content_main WHERE title ~ '^(un)?keyed-|^updated-'"
LOG = "SELECT campaign_id, id FROM service_event ORDER BY xid, id"


def query(program: Program, sql: str) -> list[list[str]]:
    """The rows of a query, as text."""
    answer = program.run("psql", "-Atc", sql)
    assert answer.returncode == 0, answer.stderr
    return [line.split("|") for line in answer.stdout.split()]


@pytest.mark.parametrize("victim", ["server", "postmaster", "backend"])
def test_a_kill_loses_and_doubles_no_write_and_no_event(program: Program, victim: str) -> None:
    program.up()
    load, before = Load(program), postmaster(program)

    async def written() -> None:
        await load.start()
        try:
            await load.went_on(300)
            for _ in range(3 if victim == "backend" else 1):
                await asyncio.to_thread(kill, program, victim)
                await load.went_on(200)
        finally:
            await asyncio.wait_for(load.stop(), 60)

    asyncio.run(written())
    # Who had nothing under way just then, or a key, is not told of a restart of PostgreSQL.
    assert load.troubles or victim != "server"
    assert victim != "postmaster" or postmaster(program) != before
    assert query(program, HALVES) == [["0", "0", "0", "0"]]
    rows = {int(id): title for id, title in query(program, ROWS)}
    assert len(set(rows.values())) == len(rows), "a write was done twice"
    for title, id in load.created.items():
        assert rows.get(id) == title, f"the acknowledged {title} is lost"
    versions_are_as_acknowledged(program, load, rows)
    each_event_was_followed_once(program, load)


def versions_are_as_acknowledged(program: Program, load: Load, rows: dict[int, str]) -> None:
    """Each version has one event, and those that were acknowledged set what they were told to set."""
    assert query(program, VERSIONS) == [["0"]]
    seen = [event for events in load.events.values() for event in events]
    titles = {(event["master_id"], event["version"]): event["payload"].get("title") for event in seen}
    for id, versions in load.updated.items():
        assert {version: titles.get((id, version)) for version in versions} == versions
        last = max(version for entity, version in titles if entity == id)
        assert rows[id] == titles[id, last]


def each_event_was_followed_once(program: Program, load: Load) -> None:
    """What the followers saw from their cursors on is the log: in its order, each event once, none missed."""
    log = query(program, LOG)
    for slug, events in load.events.items():
        wanted = [int(id) for campaign, id in log if int(campaign) == load.numbers[slug]]
        assert len(wanted) > 100
        seen = [event["id"] for event in events]
        assert set(wanted) - set(seen) == set(), "events were missed"
        assert seen == wanted


def kill(program: Program, victim: str) -> None:
    """Kills the victim without warning; a killed server is started again."""
    if victim == "server":
        assert program.process is not None
        program.process.kill()
        program.process.wait(10)
        program.up()
    elif victim == "postmaster":
        os.kill(postmaster(program), signal.SIGKILL)
    else:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'ovasabi' AND state = 'active' LIMIT 1"
        while not (found := program.run("psql", "-Atc", query).stdout.strip()):
            pass
        os.kill(int(found), signal.SIGKILL)


def postmaster(program: Program) -> int:
    """The process of PostgreSQL."""
    return int((program.home / "postgres" / "postmaster.pid").read_text().split()[0])


def test_a_killed_program_leaves_nothing_that_stops_the_next_start(program: Program) -> None:
    program.up()
    assert program.process is not None
    os.kill(program.process.pid, signal.SIGKILL)
    program.process.wait(10)
    program.up()
    with program.client() as client:
        assert client.get("/readyz").status_code == 200
    assert program.stop() == 0
    assert not Path(program.home / "run.json").exists()
