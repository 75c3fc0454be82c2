"""`ovasabi call` on the running program: every kind of method, and what it says when something is wrong."""

import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Program, free_port


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    """One program for all tests here, in a directory that PostgreSQL's user can reach."""
    with tempfile.TemporaryDirectory(prefix="ovasabi-call-") as folder:
        made = Program(Path(folder) / "home", free_port())
        made.up()
        yield made
        made.stop()


def call(program: Program, *arguments: str, text: str = "") -> Any:
    """What a call answers."""
    ran = program.run("call", *arguments, text=text)
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    assert ran.stdout.count("\n") == 1
    return json.loads(ran.stdout)


IN = ("--campaign", "python")


def test_an_entity_lives_its_life_from_the_command_line(program: Program) -> None:
    metadata = '{"service_specific": {"content": {"section": "a"}}}'
    made = call(
        program, "contents", "create", *IN, "--title", "Ä", "--tags", "a", "--tags", "b", "--kind", "micro",
        "--metadata", metadata, "--idempotency-key", "once",
    )  # fmt: skip
    assert (made["title"], made["tags"], made["kind"], made["section"]) == ("Ä", ["a", "b"], "micro", "a")
    again = call(program, "contents", "create", *IN, "--idempotency-key", "once", "--json", json.dumps(
        {"title": "Ä", "tags": ["a", "b"], "kind": "micro", "metadata": json.loads(metadata)}
    ))  # fmt: skip
    assert again == made
    id = str(made["id"])
    changed = call(program, "contents", "update", id, *IN, "--expected-version", "1", "--body", "new", "--json", "{}")
    assert (changed["version"], changed["body"], changed["title"]) == (2, "new", "Ä")
    emptied = call(program, "contents", "update", id, *IN, "--json", "-", text='{"slug": null, "tags": []}')
    assert emptied["tags"] == []
    assert call(program, "contents", "publish", id, *IN)["state"] == "published"
    assert call(program, "contents", "get", made["uuid"], *IN, "--as-of", changed["updated_at"]) == changed
    page = call(program, "contents", "list", *IN, "--filter", 'kind = "micro"', "--page-size", "1", "--include-total")
    assert ([one["id"] for one in page["contents"]], page["total_size"]) == ([made["id"]], 1)
    assert call(program, "contents", "search", "Ä", *IN)["total"] >= 1
    assert call(program, "contents", "delete", id, *IN)["id"] == made["id"]


def test_the_platform_and_its_campaigns_are_called_too(program: Program) -> None:
    assert call(program, "search", "search", "lambda", *IN)["hits"][0]["name"] == "lambda"
    assert call(program, "campaigns", "get", "python")["slug"] == "python"
    user = call(
        program, "users", "create", "--json", "-", "--username", "ada_l", "--email", "ada@example.org",
        text='{"password": "Correct-horse-7"}',
    )  # fmt: skip
    verdict = call(
        program, "users", "verify_password", str(user["id"]), "--json", "-", text='{"password": "Correct-horse-7"}'
    )
    assert verdict == {"valid": True}
    assert call(program, "events", "list", "--page-size", "1")["events"][0]["campaign_id"] == 0
    assert call(program, "events", "list", *IN, "--page-size", "1")["events"][0]["campaign_id"] == 1
    assert call(program, "master", "list", "--type", "user", "--deleted")["records"][0]["name"] == "ada_l"


def test_work_that_takes_long_is_started_and_followed(program: Program) -> None:
    export = ("contents", "export", *IN, "--filter", 'kind = "article"', "--idempotency-key", "export-1")
    started = call(program, *export)
    assert started["kind"] == "contents_export"
    assert call(program, *export)["id"] == started["id"]
    with program.api() as client:
        client.campaign("python").operations.wait(started["id"])
    ended = call(program, "operations", "get", str(started["id"]), *IN)
    assert (ended["state"], ended["error"]) == ("succeeded", None)
    piece = call(program, "operations", "download", str(started["id"]), *IN, "--after", "0")
    assert json.loads(piece["data"].splitlines()[0])["title"]


def test_a_watch_prints_a_line_for_each_event_until_it_is_stopped(program: Program) -> None:
    command = [sys.executable, "-m", "ovasabi", "call", "events", "watch", *IN, "--heartbeat-seconds", "0.2"]
    watch = subprocess.Popen(
        [*command, "--after", "now"],
        env=program.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Tests that a shell runs in its background ignore Ctrl-C, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert watch.stdout is not None
    seen, made = None, []
    end = time.monotonic() + 30
    os.set_blocking(watch.stdout.fileno(), False)
    while not seen and time.monotonic() < end:  # it may take a moment until it watches
        made.append(call(program, "contents", "create", *IN, "--title", "seen")["id"])
        time.sleep(0.5)
        seen = watch.stdout.readline()
    assert json.loads(seen or "{}")["event"]["master_id"] in made
    watch.send_signal(signal.SIGINT)
    assert watch.stderr is not None
    assert (watch.wait(10), watch.stderr.read().strip()) == (130, "")


def test_whoever_reads_may_stop_reading(program: Program) -> None:
    command = f"{sys.executable} -m ovasabi call events watch {' '.join(IN)} | head -n 2"
    ran = subprocess.run(command, shell=True, env=program.environment, capture_output=True, text=True, timeout=60)
    assert len(ran.stdout.splitlines()) == 2
    assert ran.stderr == ""


def test_people_see_the_answer_indented(program: Program) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ovasabi", "call", "campaigns", "get", "python"]
    ran = subprocess.run(command, env=program.environment, stdout=theirs, stderr=subprocess.PIPE, timeout=60)
    os.close(theirs)
    assert ran.returncode == 0
    assert os.read(ours, 100).startswith(b'{\r\n  "slug": "python",\r\n')
    os.close(ours)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["contents", "get", "17", *IN], 1, "error: The content 17 was not found.\nhint: It may have been deleted"),
        (["contents", "create", *IN, "--title", ""], 1, "error: title must have at least 1 character."),
        (["contents", "list", *IN, "--filter", "nose = 1"], 1, "error: content cannot be filtered by 'nose'"),
        (["contents", "list", "--campaign", "no-such"], 1, "error: The campaign no-such was not found."),
        (["contents", "create", *IN, "--json", '{"titel": "x", "title": "y"}'], 1, "hint: Did you mean 'title'?"),
        (["contents", "create", *IN], 2, "Missing option '--title'."),
        (["contents", "create", *IN, "--json", "{"], 2, "Invalid value for '--json': not valid JSON"),
        (["contents", "create", *IN, "--json", "[]"], 2, "Invalid value for '--json': must be a JSON object."),
        (
            ["contents", "create", *IN, "--title", "x", "--metadata", "{"],
            2,
            "Invalid value for '--metadata': not valid JSON",
        ),
        (["contents", "create", *IN, "--title", "x", "--kind", "book"], 2, "'book' is not one of 'article', 'micro'"),
        (
            ["contents", "create", *IN, "--titel", "x"],
            2,
            "contents create has no option --titel. Did you mean --title?",
        ),
        (
            ["contents", "get", *IN, "17", "--state", "x"],
            2,
            "has no option --state. It has --as-of, --campaign, --help.",
        ),
        (["contents", "list"], 2, "Missing option '--campaign'."),
        (["contents", "fly", *IN], 2, "No such command 'fly'."),
        (["content", "list", *IN], 2, "No such command 'content'."),
        (["users", "verify_password", "1"], 2, "Missing 'password' in '--json'."),
        (["--key-file", "nothing.key", "campaigns", "get", "python"], 1, "error: nothing.key cannot be read: No such"),
        (["--address", "http://127.0.0.1:1", "campaigns", "list"], 1, "the operator key of this machine is not sent"),
        (
            ["--address", "python", "--key-file", "{key}", "campaigns", "list"],
            1,
            "error: 'python' is not a valid address.",
        ),
        (
            ["--address", "http://127.0.0.1:1", "--key-file", "{key}", "campaigns", "list"],
            1,
            "cannot be reached at http:",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(program: Program, arguments: list[str], code: int, words: str) -> None:
    key = str(program.home / "operator.key")
    ran = program.run("call", *(argument.replace("{key}", key) for argument in arguments))
    assert (ran.returncode, ran.stdout) == (code, ""), ran.stderr
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "ovk_" not in ran.stderr


def test_another_key_may_be_given_by_file_or_environment(program: Program, tmp_path: Path) -> None:
    key = program.run("keys", "create", "reader", "--role", "reader", "--campaign", "python").stdout
    file = tmp_path / "reader.key"
    file.write_text(key)
    named = ("--address", program.address, "--key-file", str(file))
    assert call(program, *named, "contents", "list", *IN, "--page-size", "1")["contents"]
    refused = program.run("call", *named, "contents", "create", *IN, "--title", "x")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: This API key does not permit the call: the role writer is required")
    program.environment["OVASABI_KEY"] = key.strip()
    try:
        assert program.run("call", "users", "list").returncode == 1
        program.environment["OVASABI_KEY"] = "ovk_wrong_wrong"
        wrong = program.run("call", "users", "list")
    finally:
        del program.environment["OVASABI_KEY"]
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: ")
    assert "ovk_wrong" not in wrong.stderr


def test_without_its_address_in_the_settings_the_running_program_is_found(program: Program) -> None:
    kept = program.environment.pop("OVASABI_PORT")
    try:
        assert call(program, "campaigns", "get", "1")["slug"] == "python"
    finally:
        program.environment["OVASABI_PORT"] = kept


def test_a_program_that_is_not_running_is_told(program: Program) -> None:
    program.environment["OVASABI_PORT"] = str(free_port())
    try:
        ran = program.run("call", "campaigns", "get", "python")
    finally:
        program.environment["OVASABI_PORT"] = str(program.port)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: OVASABI cannot be reached at http://127.0.0.1:")
    assert "hint: Start it with `ovasabi up`" in ran.stderr
