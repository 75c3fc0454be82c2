"""The clock of a machine is set on by half a year, and back again: the program starts, and its log remains whole."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Program

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
pytestmark = [
    pytest.mark.versions("18"),
    pytest.mark.skipif(LIBRARY is None, reason="faketime is not installed; .ci/run installs it"),
]
PATH = "/v1/campaigns/python"


def started(program: Program, shift: str) -> None:
    """Starts the program and its server with clocks that are shifted, such as by +200d."""
    shifted = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": shift, "FAKETIME_DONT_RESET": "1"}
    program.environment = {**os.environ, **program.environment, **shifted}
    program.up()


def feed(client: httpx.Client, after: str = "") -> tuple[list[int], str]:
    """The ids of the contents whose creation the feed tells after a cursor, and where it ends."""
    ids: list[int] = []
    while True:
        given: dict[str, Any] = {"page_size": 500, **({"after": after} if after else {})}
        page = client.get(f"{PATH}/events", params=given).raise_for_status().json()
        ids += [event["master_id"] for event in page["events"] if event["type"] == "content:create:v1:success"]
        if not page["events"]:
            return ids, after
        after = page["next_cursor"]


@pytest.mark.parametrize("shifts", [("+0d", "+200d", "+0d"), ("+40d", "-40d", "+0d")], ids=["on", "back"])
def test_a_program_whose_clock_is_set_starts_and_goes_on(program: Program, shifts: tuple[str, ...]) -> None:
    made: list[int] = []
    cursor, known = "", list[int]()
    for number, shift in enumerate(shifts):
        started(program, shift)
        with program.client() as client:
            assert client.get("/readyz").status_code == 200, client.get("/readyz").text
            if not number:
                known, cursor = feed(client)
            for title in ("one", "two"):
                answer = client.post(f"{PATH}/contents", json={"title": f"{title} {shift}"})
                assert answer.status_code == 201, answer.text
                made.append(answer.json()["id"])
            changed = client.patch(f"{PATH}/contents/{made[0]}", json={"body": shift}).raise_for_status().json()
            assert (changed["version"], changed["body"]) == (number + 2, shift)
            assert changed["updated_at"] >= changed["created_at"]
            found, cursor = feed(client, cursor)
            assert found == made[-2:], "a consumer goes on where it was"
            listed = client.get(f"{PATH}/contents", params={"page_size": 2}).raise_for_status().json()["contents"]
            assert [content["id"] for content in listed] == made[:-3:-1], "the newest come first"
            status = program.run("status")
            assert status.returncode == 0, status.stdout + status.stderr
        assert program.stop() == 0, program.output
    assert made == sorted(made), "ids never run backwards"
    assert feed_of(program) == [*known, *made]


def feed_of(program: Program) -> list[int]:
    """All of the feed, as the program tells it after one more start."""
    program.up()
    with program.client() as client:
        return feed(client)[0]
