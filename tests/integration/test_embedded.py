"""The embedded server, for real: it keeps data, survives kills, refuses a second start, and needs no privileges."""

import asyncio
import os
import shutil
import signal
import stat
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from ovasabi.database import postmaster
from ovasabi.database.embedded import EmbeddedServer, running_url
from ovasabi.errors import StartError
from tests.binaries import earlier, second

SERVERS = [(18, None), (16, earlier(16)), second()]


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that PostgreSQL's user can reach; pytest's own takes that right away again."""
    path = Path(tempfile.mkdtemp(prefix="ovasabi-test-"))
    yield path
    postmaster.stop_leftovers(path / "postgres")
    shutil.rmtree(path)


async def write(server: EmbeddedServer) -> None:
    connection = await asyncpg.connect(server.url())
    await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)")
    await connection.close()


async def read(server: EmbeddedServer) -> int:
    connection = await asyncpg.connect(server.url())
    try:
        return await connection.fetchval("SELECT n FROM kept")
    finally:
        await connection.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  (processes set no event)
            await asyncio.sleep(0.02)


async def kill(server: EmbeddedServer) -> None:
    """kill -9, and until the process is gone: the signal alone does not mean that yet."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: not server.is_running)


async def run_python(script: str) -> str:
    """What the script prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(script), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return output.decode()


@pytest.mark.parametrize(("version", "binaries"), SERVERS)
async def test_a_restart_keeps_the_data(version: int, binaries: Path | None, home: Path) -> None:
    server = EmbeddedServer(home / "postgres", version, binaries)
    await server.start()
    await write(server)
    await server.stop()
    assert not server.is_running
    assert server.pid is None
    await server.start()
    assert await read(server) == 42
    await server.stop()


async def test_every_version_sorts_by_code_point_knows_every_letter_and_keeps_utc(home: Path) -> None:
    for version, binaries in SERVERS:
        async with EmbeddedServer(home / str(version), version, binaries) as server:
            connection = await asyncpg.connect(server.url())
            answer = await connection.fetchrow(
                "SELECT lower('ÄÉΩ') AS lower, 'a' > 'B' AS by_code_point, current_setting('TimeZone') AS zone"
            )
            await connection.close()
        assert tuple(answer) == ("äéω", True, "UTC")


async def test_only_its_owner_reaches_it_and_no_network_does(home: Path) -> None:
    async with EmbeddedServer(home / "postgres") as server:
        connection = await asyncpg.connect(server.url())
        assert await connection.fetchval("SHOW listen_addresses") == ""
        await connection.close()
        (socket,) = (home / "postgres").glob(".s.PGSQL.*[0-9]")
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700


async def test_a_killed_postmaster_is_recovered_by_the_next_start(home: Path) -> None:
    server = EmbeddedServer(home / "postgres")
    await server.start()
    await write(server)
    await kill(server)
    await server.start()
    assert await read(server) == 42
    await server.stop()


async def test_keep_running_starts_a_killed_server_again_at_the_same_address(home: Path) -> None:
    said: list[str] = []
    async with EmbeddedServer(home / "postgres", progress=said.append) as server:
        await write(server)
        keeper = asyncio.create_task(server.keep_running())
        before, url = server.pid, server.url()
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await until(lambda: server.pid not in (None, before) and running_url(server.data) is not None)
        assert server.url() == url
        assert await read(server) == 42
        keeper.cancel()
    assert "PostgreSQL exited unexpectedly; restarting it." in said


async def test_a_second_start_is_refused_and_leaves_the_first_alone(home: Path) -> None:
    async with EmbeddedServer(home / "postgres") as first:
        pid = first.pid
        with pytest.raises(StartError, match=f"already in use by process {os.getpid()}"):
            await EmbeddedServer(home / "postgres").start()
        assert first.pid == pid
    async with EmbeddedServer(home / "postgres") as again:
        assert again.is_running


async def test_a_path_too_long_for_a_socket_gets_a_private_directory_elsewhere(home: Path) -> None:
    data = home / ("long" * 30) / "postgres"
    async with EmbeddedServer(data) as server:
        await write(server)
        found = postmaster.running(data)
        assert found is not None
        assert found.socket != data
        assert stat.S_IMODE(found.socket.stat().st_mode) == 0o700
        assert running_url(data) == server.url()
    assert not found.socket.exists()


async def test_what_a_killed_process_left_running_is_taken_over(home: Path) -> None:
    script = f"""
        import asyncio, pathlib
        from ovasabi.database.embedded import EmbeddedServer
        async def main():
            server = EmbeddedServer(pathlib.Path({str(home / "postgres")!r}))
            await server.start()
            print(server.pid, flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    parent = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    orphan = int(await asyncio.wait_for(parent.stdout.readline(), 60))
    parent.kill()
    await parent.wait()
    assert running_url(home / "postgres") is not None
    said: list[str] = []
    async with EmbeddedServer(home / "postgres", progress=said.append) as server:
        assert server.pid != orphan
        assert not Path(f"/proc/{orphan}/cwd").exists()
        await write(server)
    assert said == ["Stopped a PostgreSQL server that an earlier process had left running."]


async def test_a_process_that_ends_without_stopping_takes_its_server_along(home: Path) -> None:
    script = f"""
        import asyncio, pathlib
        from ovasabi.database.embedded import EmbeddedServer
        server = EmbeddedServer(pathlib.Path({str(home / "postgres")!r}))
        asyncio.run(server.start())
    """
    await run_python(script)
    assert postmaster.running(home / "postgres") is None


async def test_a_stale_pid_file_with_a_living_strangers_pid_does_not_hinder(home: Path) -> None:
    data = home / "postgres"
    server = EmbeddedServer(data)
    await server.start()
    noted = (data / "postmaster.pid").read_text()
    await kill(server)
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    (data / "postmaster.pid").write_text(noted.replace(noted.split()[0], str(stranger.pid), 1))
    await server.start()
    assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()
    await server.stop()


async def test_data_of_another_major_version_is_refused(home: Path) -> None:
    async with EmbeddedServer(home / "postgres", 16, earlier(16)):
        pass
    with pytest.raises(StartError, match="written by PostgreSQL 16, but this is PostgreSQL 18"):
        await EmbeddedServer(home / "postgres", 18).start()


async def test_a_directory_with_something_else_in_it_is_refused_and_not_touched(home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "thesis.txt").write_text("mine")
    with pytest.raises(StartError, match="neither empty nor a PostgreSQL data directory"):
        await EmbeddedServer(home / "postgres").start()
    assert (home / "postgres" / "thesis.txt").read_text() == "mine"


async def test_a_server_that_will_not_start_says_why_and_where_to_look(home: Path) -> None:
    server = EmbeddedServer(home / "postgres", options={"shared_buffers": "banana"})
    with pytest.raises(StartError, match="banana") as refused:
        await server.start()
    assert refused.value.hint == f"See {home / 'postgres.log'}."
    assert not server.is_running


async def test_a_failed_start_can_be_repeated(home: Path) -> None:
    with pytest.raises(StartError):
        await EmbeddedServer(home / "postgres", options={"max_connections": "0"}).start()
    async with EmbeddedServer(home / "postgres") as server:
        assert server.is_running


async def test_it_runs_without_privileges(home: Path) -> None:
    """As root: in a process that has become `nobody`; else in this very process. Either way on the same code."""
    async with EmbeddedServer(home / "first"):
        pass  # as root this also opens the way to the programs, which nobody could not do
    script = f"""
        # All that is needed must be loaded before: the interpreter may lie where nobody may not go.
        import asyncio, concurrent.futures.thread, os, pathlib, asyncpg
        from ovasabi.database.embedded import EmbeddedServer
        home = pathlib.Path({str(home)!r}) / "of-nobody"
        home.mkdir()
        if os.geteuid() == 0:
            os.chown(home, 65534, 65534)
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        os.environ["HOME"] = str(home)
        async def main():
            server = EmbeddedServer(home / "postgres")
            for _ in range(2):
                await server.start()
                connection = await asyncpg.connect(server.url())
                print(await connection.fetchval("SELECT current_user"), os.geteuid(), flush=True)
                await connection.close()
                await server.stop()
        asyncio.run(main())
    """
    home.chmod(0o711)
    answer = await run_python(script)
    assert answer.split() == ["postgres", str(65534 if os.geteuid() == 0 else os.geteuid())] * 2


async def test_the_second_start_is_quick(home: Path) -> None:
    async with EmbeddedServer(home / "postgres"):
        pass
    began = time.monotonic()
    async with EmbeddedServer(home / "postgres"):
        assert time.monotonic() - began < 3
