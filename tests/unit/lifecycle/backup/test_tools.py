"""PostgreSQL's tools: found by their version, run without a secret in sight, and quoted without a row."""

import asyncio
import os
from pathlib import Path

import pytest

from ovasabi.database.bundled import VERSION, bundled_binaries
from ovasabi.lifecycle.backup import tools

SECRET = "s3cret/word"
URL = "postgresql://me:s3cret%2Fword@db.example.org:5432/shop"


def program(folder: Path, script: str, name: str = "pg_dump") -> Path:
    """A program that does something else."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_tools_of_the_embedded_server_are_its_own() -> None:
    path, version = tools.tool("pg_dump", VERSION, embedded=True)
    assert path == bundled_binaries() / "pg_dump"
    assert version.partition(".")[0] == str(VERSION)


def test_an_installed_tool_comes_first_for_another_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = program(tmp_path, f"echo 'pg_dump (PostgreSQL) {VERSION}.99 (Debian)'")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(tools, "INSTALLED", ())
    assert tools.tool("pg_dump", VERSION, embedded=False) == (installed, f"{VERSION}.99")
    assert tools.tool("pg_dump", VERSION, embedded=True)[0] == bundled_binaries() / "pg_dump"


@pytest.mark.parametrize("script", ["echo 'pg_dump (PostgreSQL) 17.2'", "exit 1", "echo nonsense"])
def test_a_tool_of_another_version_or_none_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    program(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(tools.ToolFailed, match="pg_dump of PostgreSQL 11 is not installed") as failed:
        tools.tool("pg_dump", 11, embedded=False)
    assert "postgresql-client-11" in str(failed.value.hint)


async def test_the_password_is_in_neither_the_arguments_nor_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVASABI_DATABASE_URL", URL)
    script = program(
        tmp_path,
        f"""env > {tmp_path}/env; echo "$@" > {tmp_path}/arguments
        echo "pg_dump: error: $1 and $PGPASSWORD were refused" >&2; exit 1""",
    )
    with pytest.raises(tools.ToolFailed) as failed:
        await tools.run(script, URL, ["--format=custom"])
    assert str(failed.value) == "--dbname=postgresql://me@db.example.org:5432/shop and *** were refused"
    assert SECRET not in (tmp_path / "arguments").read_text()
    environment = (tmp_path / "env").read_text()
    assert f"PGPASSWORD={SECRET}\n" in environment
    assert "OVASABI_" not in environment


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "pg_restore: error: could not execute query: ERROR:  out of shared memory\n"
            'HINT:  You might need to increase "max_locks_per_transaction".\nCommand was: CREATE TABLE x ();',
            'ERROR:  out of shared memory; You might need to increase "max_locks_per_transaction"',
        ),
        (
            'pg_restore: error: COPY failed for table "master": ERROR:  duplicate key value\n'
            "DETAIL:  Key (name)=(Alice) already exists.\nCONTEXT:  COPY master, line 1: Alice",
            'COPY failed for table "master": ERROR:  duplicate key value',
        ),
        ("Segmentation fault\n", "pg_dump ended with exit code 3"),
    ],
)
async def test_what_a_tool_says_is_quoted_without_rows(tmp_path: Path, said: str, reason: str) -> None:
    (tmp_path / "said").write_text(said)
    script = program(tmp_path, f"cat {tmp_path}/said >&2; exit 3")
    with pytest.raises(tools.ToolFailed) as failed:
        await tools.run(script, URL, [])
    assert str(failed.value) == reason


async def test_a_tool_ends_with_its_caller(tmp_path: Path) -> None:
    script = program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    running = asyncio.create_task(tools.run(script, URL, []))
    async with asyncio.timeout(30):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


async def test_a_tool_that_was_killed_is_told(tmp_path: Path) -> None:
    with pytest.raises(tools.ToolFailed, match="pg_dump was ended by signal 9"):
        await tools.run(program(tmp_path, "kill -9 $$"), URL, [])
