"""A service that somebody adds: written by the command into a copy of the sources, and working at once in every way."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = "from ovasabi.cli import main; main()"
OVER_HTTP = """
import asyncio, json, sys, tempfile, urllib.error, urllib.request
from pathlib import Path

import uvicorn

from ovasabi import runtime
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.gateway.http.app import create_app
from ovasabi.settings import Settings


def call(method, path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    request.add_header("authorization", f"Bearer {key}")
    request.data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.status, json.load(answer)


async def main():
    global port, key
    with tempfile.TemporaryDirectory() as home:
        server = EmbeddedServer(Path(home) / "postgres")
        await server.start()
        try:
            settings = Settings(home=Path(home))
            key = (await runtime.prepare(server.url(), settings)).operator_key
            async with runtime.running(server.url(), settings) as platform:
                http = uvicorn.Server(uvicorn.Config(create_app(platform), port=0, log_level="error", lifespan="off"))
                serving = asyncio.create_task(http.serve())
                while not http.started:
                    await asyncio.sleep(0.05)
                port = http.servers[0].sockets[0].getsockname()[1]
                await asyncio.to_thread(check)
                http.should_exit = True
                await serving
        finally:
            await server.stop()


def check():
    cards = "/v1/campaigns/python/sample_cards"
    status, made = call("POST", cards, {"name": "Ten euros", "description": "for tea"})
    assert (status, made["state"], made["version"]) == (201, "active", 1), made
    assert call("GET", f"{cards}/{made['uuid']}") == (200, made)
    assert call("PATCH", f"{cards}/{made['id']}", {"name": "Twenty euros"})[1]["name"] == "Twenty euros"
    assert call("POST", f"{cards}/{made['id']}:archive")[1]["state"] == "archived"
    try:
        call("POST", f"{cards}/{made['id']}:archive")
    except urllib.error.HTTPError as error:
        assert json.load(error)["code"] == "move_refused"
    else:
        raise AssertionError("a second :archive was not refused")
    listed = call("GET", f"{cards}?filter=state%20%3D%20archived")[1]["sample_cards"]
    assert [card["id"] for card in listed] == [made["id"]]
    assert call("GET", f"{cards}:search?q=twenty")[1]["hits"][0]["entity"]["id"] == made["id"]
    assert call("DELETE", f"{cards}/{made['id']}")[0] == 200
    assert call("POST", f"{cards}/{made['id']}:restore")[1]["name"] == "Twenty euros"
    assert "/v1/campaigns/{campaign}/sample_cards" in str(call("GET", "/openapi.json")[1]["paths"])


asyncio.run(main())
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with a service that the command has written."""
    folder = tmp_path_factory.mktemp("project")
    folder.chmod(0o755)  # PostgreSQL's user reads the sources if we are root
    for part in ("src", "migrations", "sql", "tests", "api", "clients"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    left = folder / "src/ovasabi/services/sample_card/__pycache__"
    left.mkdir(parents=True)  # as a branch with a service of this name leaves it behind
    (left / "entity.cpython-311.pyc").write_bytes(b"")
    before = contents(folder)
    answer = run(folder, "-c", COMMAND, "new", "service", "sample_card")
    assert answer.returncode == 0, answer.stderr
    after = contents(folder)
    assert {path: after[path] for path in before} == before, "nothing that was there is edited"
    own = {f"src/ovasabi/services/sample_card/{file}.py" for file in ("__init__", "entity", "service")}
    (migration,) = after.keys() - before.keys() - own
    assert migration.startswith("migrations/versions/")
    assert migration.endswith("_sample_card.py")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a project by path, but what Python leaves behind."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a project of its own, away from the sources of this one."""
    compiled = folder.with_name(f"{folder.name}-compiled")  # beside it, so that only sources are compared
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONPYCACHEPREFIX": str(compiled)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_conformance_suite_finds_it_and_it_conforms(copy: Path) -> None:
    wanted = "pg18 and (sample_card or migrations)"
    answer = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/conformance", "-k", wanted)
    assert answer.returncode == 0, answer.stdout
    passed = int(answer.stdout.rsplit(" passed", 1)[0].split()[-1])
    assert passed > 15, answer.stdout


def test_it_is_served_over_http(copy: Path) -> None:
    answer = run(copy, "-c", OVER_HTTP)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_it_passes_the_linter_and_the_formatter(copy: Path) -> None:
    folder = "src/ovasabi/services/sample_card"
    for command in (["ruff", "check", folder], ["ruff", "format", "--check", folder]):
        answer = run(copy, "-m", *command)
        assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["sample_card"], "The service sample_card already exists."),
        (["sample_folder"], "The folder sample_folder already exists."),
        (["quote"], "The entity quote already exists."),
        (["sample_offer", "--plural", "quotes"], "The plural quotes is already in use."),
        (["sample_offer", "--plural", "events"], "The plural events is already in use."),
        (["class"], "NAME is 'class', which is a keyword of Python."),
        (["a"], "The plural would be 'as', which is a keyword of Python."),
        (["sample_offer", "--plural", "as"], "--plural is 'as', which is a keyword of Python."),
        (["SampleCard"], "NAME is 'SampleCard', which is not a valid name."),
        (["../evil"], "NAME is '../evil', which is not a valid name."),
        (["x" * 30], f"NAME is '{'x' * 30}', which is not a valid name."),
        (["sample_offer", "--entity", "sample_offer"], "--entity is 'sample_offer', which is not a valid class name."),
        (["none"], "The class of the entity would be 'None', which is a keyword of Python."),
        (["sample_offer", "--entity", "None"], "--entity is 'None', which is a keyword of Python."),
        (["role"], "The name Role has two meanings in the API: ovasabi.kernel.call.context.Role and "),
        (["google"], "The service is named google, which the platform uses itself."),
        (["filter"], "The class name Filter or Filters is already used by the kernel."),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_a_sentence(copy: Path, arguments: list[str], problem: str) -> None:
    note = copy / "src/ovasabi/services/sample_folder/data/notes.txt"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text("of somebody")
    before = contents(copy)
    answer = run(copy, "-c", COMMAND, "new", "service", *arguments)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert re.fullmatch(rf"error: {re.escape(problem)}.*\nhint: .+\n", answer.stderr), answer.stderr
    assert contents(copy) == before
