"""Killed without warning while many write: no acknowledged write is lost, none is doubled, nothing is left half."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Program

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


class Writers:
    """Threads that create contents under keys of their own, and remember what was acknowledged."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.acknowledged: dict[str, int] = {}
        self.stopped = threading.Event()
        self.key = program.key

    def write(self, number: int) -> None:
        """Writes until stopped; an unanswered create is sent again under its key."""
        count = 0
        headers = {"authorization": f"Bearer {self.key}"}
        while not self.stopped.is_set():
            key = f"{number}-{count}"
            try:
                with httpx.Client(base_url=self.program.address, headers=headers, timeout=10) as client:
                    while not self.stopped.is_set():
                        key = f"{number}-{count}"
                        answer = client.post(
                            "/v1/campaigns/python/contents", json={"title": key}, headers={"idempotency-key": key}
                        )
                        if answer.status_code == 201:
                            self.acknowledged[key] = answer.json()["id"]
                            count += 1
                        else:
                            assert answer.status_code in (503, 504), answer.text
                            time.sleep(0.05)
            except httpx.TransportError:
                time.sleep(0.05)


@pytest.mark.parametrize("victim", ["server", "postmaster", "backend"])
def test_a_kill_loses_no_acknowledged_write(program: Program, victim: str) -> None:
    program.up()
    writers = Writers(program)
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(writers.write, number) for number in range(8)]
        try:
            for _ in range(2):
                time.sleep(1.0)
                before = len(writers.acknowledged)
                kill(program, victim)
                deadline = time.monotonic() + 40
                while len(writers.acknowledged) < before + 50:
                    assert time.monotonic() < deadline, "writing did not go on"
                    time.sleep(0.1)
        finally:
            writers.stopped.set()
    for done in running:
        done.result()
    assert program.run("psql", "-Atc", HALVES).stdout.strip() == "0|0|0|0"
    with program.client() as client:
        for key, id in writers.acknowledged.items():
            found = client.get(f"/v1/campaigns/python/contents/{id}")
            assert found.status_code == 200, f"the acknowledged {key} is lost"
            assert found.json()["title"] == key
    listed = program.run("psql", "-Atc", "SELECT name FROM master WHERE type = 'content' AND name ~ '^[0-9]+-[0-9]+$'")
    names = listed.stdout.split()
    assert len(names) == len(set(names))
    assert set(writers.acknowledged) <= set(names)


def kill(program: Program, victim: str) -> None:
    """Kills the victim without warning; a killed server is started again."""
    if victim == "server":
        assert program.process is not None
        program.process.kill()
        program.process.wait(10)
        program.up()
    elif victim == "postmaster":
        pid = int((program.home / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
    else:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'ovasabi' AND state = 'active' LIMIT 1"
        while not (found := program.run("psql", "-Atc", query).stdout.strip()):
            pass
        os.kill(int(found), signal.SIGKILL)


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
