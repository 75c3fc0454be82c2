"""PgBouncer, Debian's, before a server: what it ignores of a new session, the session does not have."""

import asyncio
import os
import pwd
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.e2e.conftest import free_port

BOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@asynccontextmanager
async def bounced(url: str, *, mode: str, ignored: str) -> AsyncIterator[str]:
    """The URL of a server's database behind PgBouncer, which ignores some parameters of new sessions."""
    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    folder.chmod(0o755)
    port, settings = free_port(), folder / "pgbouncer.ini"
    users = folder / "users.txt"
    await asyncio.to_thread(users.write_text, f'"{parts.username}" ""\n')
    await asyncio.to_thread(
        settings.write_text,
        f"""[databases]
* = host={query["host"][0]} port={query["port"][0]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
ignore_startup_parameters = {ignored}
""",
    )
    # PgBouncer does not run as root; whoever runs the server may use its socket.
    owner = pwd.getpwuid(await asyncio.to_thread(lambda: os.stat(query["host"][0]).st_uid)).pw_name
    as_owner = ["-u", owner] if os.geteuid() == 0 else []
    assert BOUNCER is not None
    process = await asyncio.create_subprocess_exec(
        BOUNCER, "-q", *as_owner, str(settings), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        await _listening(process, port)
        yield f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        shutil.rmtree(folder)


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        except OSError:
            assert process.returncode is None, (await process.communicate())[0]
            await asyncio.sleep(0.02)
        else:
            return
    raise AssertionError("PgBouncer does not listen")
