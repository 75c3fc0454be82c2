"""An import over HTTP while the server is killed, and stopped: it goes on, and nothing is lost or doubled."""

import json
import signal
import time
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Program

LINES = 6_000


def operation(client: httpx.Client, address: str) -> dict[str, Any]:
    """An operation as it is now."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def until(client: httpx.Client, address: str, name: str, least: Any, seconds: float = 60) -> dict[str, Any]:
    """The operation, when a field of it is something, or has come so far."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = operation(client, address)
        if found[name] == least or (isinstance(least, int) and found[name] >= least):
            return found
        assert found["state"] in ("queued", "running"), found
        time.sleep(0.02)
    raise AssertionError(f"it did not come so far: {found}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill-9", "ctrl-c"])
def test_an_import_goes_on_after_the_server_is_gone_and_nothing_is_doubled(program: Program, number: int) -> None:
    program.up()
    data = "".join(json.dumps({"title": f"Line {n % (LINES // 2)}"}) + "\n" for n in range(LINES))
    contents = "/v1/campaigns/python/contents"
    with program.client() as client:
        started = client.post(f"{contents}:import", json={"data": data})
        assert started.status_code == 202, started.text
        address = started.headers["location"]
        until(client, address, "done", 400)
    if number == signal.SIGKILL:
        assert program.process is not None
        program.process.kill()
        program.process.wait(10)
    else:
        assert program.stop() == 0
    program.up()
    with program.client() as client:
        before = operation(client, address)
        assert before["state"] == "running"
        assert before["done"] < LINES
        done = until(client, address, "state", "succeeded")
        assert done["result"] == {"created": LINES, "present": 0, "rejected": 0, "rejects": []}
        total = client.get(contents, params={"filter": f"id > {done['id']}", "include_total": "true", "page_size": 1})
        assert total.json()["total_size"] == LINES
        page = client.get(f"/v1/campaigns/python/events?entity_id={done['id']}").json()
        assert [event["type"].split(":")[1] for event in page["events"]] == ["create", "start", "succeed"]
