"""The client and the program: a caller who is in the midst of it when the program is killed does not notice."""

import itertools
import signal
from concurrent.futures import ThreadPoolExecutor

from ovasabi_client import Content, Event
from tests.e2e.conftest import Program

PATIENCE = 9
"""Retries with growing pauses: more than half a minute."""


def test_calls_and_watches_go_on_over_a_kill_and_a_new_start(program: Program) -> None:
    program.up()

    def create(title: str) -> Content:
        with program.api(PATIENCE) as client:
            return client.campaign("python").contents.create(title=title)

    def watch() -> list[Event]:
        with program.api(PATIENCE) as client:
            events = client.campaign("python").events.watch(after=cursor, heartbeat_seconds=0.5)
            return list(itertools.islice(events, 3))

    with program.api() as client, ThreadPoolExecutor() as pool:
        *_, last = client.campaign("python").events.list(page_size=1000)
        cursor = last.cursor
        subscriptions = pool.submit(watch)
        made = [create("before")]
        assert program.process is not None
        program.process.send_signal(signal.SIGKILL)
        program.process.wait(10)
        creating = pool.submit(create, "while it is away")
        program.up()
        made += [creating.result(60), create("after")]
        seen = subscriptions.result(60)
        assert [event.master_id for event in seen] == [content.id for content in made]
        titles = {content.title for content in client.campaign("python").contents.list(page_size=3)}
    assert {content.title for content in made} <= titles
