"""The commands with several servers: what they set up, show and import, and which servers they refuse."""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ovasabi import runtime
from ovasabi.errors import StartError
from ovasabi.settings import Settings
from tests.command_line import run_async
from tests.integration.kernel.fixtures import admin
from tests.integration.servers.conftest import OTHER, Place

pytestmark = pytest.mark.versions("18")


@pytest_asyncio.fixture
async def urls(place: Place) -> AsyncIterator[tuple[str, str]]:
    """Two new databases, one on each of the servers."""
    name = f"d{uuid.uuid4().hex[:8]}"
    for server in (place.home, place.other):
        async with admin(server.url("postgres")) as connection:
            await connection.execute(f"CREATE DATABASE {name}")
    yield place.home.url(name), place.other.url(name)


def environment(home: str, shards: str, folder: Path) -> dict[str, str]:
    """The variables of a command."""
    return {"OVASABI_HOME": str(folder), "OVASABI_DATABASE_URL": home, "OVASABI_SHARDS": shards, "PATH": ""}


async def test_migrate_sets_up_all_servers_and_can_be_run_again(urls: tuple[str, str], tmp_path: Path) -> None:
    env = environment(urls[0], f"{OTHER}={urls[1]}", tmp_path)
    for _ in range(2):
        done = await run_async("migrate", env=env)
        assert done.returncode == 0, done.stderr
    assert "nothing to do" in (await run_async("migrate", "--plan", env=env)).stdout
    status = json.loads((await run_async("status", "--json", env=env)).stdout)
    assert status["servers"] == {str(OTHER): "replication running"}
    async with admin(urls[1]) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'") == 0


async def test_a_server_keeps_its_number(place: Place, tmp_path: Path) -> None:
    shards = f"{OTHER + 1}={place.other.url()}"
    refused = await run_async("migrate", env=environment(place.home.url(), shards, tmp_path))
    assert refused.returncode != 0
    assert f"a server the number {OTHER + 1}, but its ids have the number {OTHER}" in refused.stderr
    with pytest.raises(StartError, match=f"its ids have the number {OTHER}"):
        await runtime.check(place.home.url(), Settings(home=tmp_path, shards=shards))


async def test_lines_are_imported_on_the_server_of_their_campaign(place: Place, tmp_path: Path) -> None:
    file, title = tmp_path / "contents.jsonl", uuid.uuid4().hex
    file.write_text(f'{{"title": "{title}"}}\n')
    env = environment(place.home.url(), f"{OTHER}={place.other.url()}", tmp_path)
    for said in ("1 created", "1 already there"):
        done = await run_async("import", "contents", str(file), "--campaign", place.slugs[OTHER], env=env)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    assert await place.value(OTHER, "SELECT count(*) FROM master WHERE name = $1", title) == 1
    refused = await run_async(
        "import", "contents", str(file), "--campaign", place.slugs[OTHER], env=env | {"OVASABI_SHARDS": ""}
    )
    assert refused.returncode == 1
    assert f"on the server {OTHER}, which is not configured" in refused.stderr


async def test_two_databases_of_one_server_are_refused(urls: tuple[str, str], place: Place, tmp_path: Path) -> None:
    env = environment(urls[0], f"{OTHER}={place.home.url('postgres')}", tmp_path)
    refused = await run_async("migrate", env=env)
    assert refused.returncode != 0
    assert f"Server {OTHER} is a database of the home server" in refused.stderr


async def test_a_server_that_was_not_set_up_is_not_served(urls: tuple[str, str], tmp_path: Path) -> None:
    for number, url in enumerate(urls):
        env = environment(url, "", tmp_path) | {"OVASABI_SERVER_NUMBER": str(number)}
        assert (await run_async("migrate", env=env)).returncode == 0
    with pytest.raises(StartError, match=f"Server {OTHER} does not get the platform's rows: it has no subscription"):
        await runtime.check(urls[0], Settings(home=tmp_path, shards=f"{OTHER}={urls[1]}"))
