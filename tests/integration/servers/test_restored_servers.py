"""Servers that were restored take part again: the shard, home, or both; what was lost is told, and nothing mixes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ovasabi import runtime
from ovasabi.errors import StartError
from ovasabi.settings import Settings
from tests.command_line import run_async
from tests.integration.kernel.fixtures import contents, pools, within
from tests.integration.servers.conftest import OTHER, Place
from tests.integration.servers.restoring_fixtures import Installation, installed

STRANGERS = """
SELECT count(*) FROM service_content_main AS s
WHERE NOT EXISTS (SELECT FROM master AS m WHERE m.campaign_id = 0 AND m.id = s.author_id)"""


@pytest.fixture
def folder(place: Place, tmp_path: Path) -> Path:
    """A folder for backups."""
    return tmp_path


@pytest_asyncio.fixture
async def of(place: Place, folder: Path) -> AsyncIterator[Installation]:
    """An installation of the test's own on both servers."""
    async with installed(place, folder) as made:
        yield made


async def test_a_restored_server_takes_part_again(of: Installation) -> None:
    author, revoked = await of.user(), await of.key()
    campaign, _ = await of.campaign()
    content = await of.content(campaign, author)
    backup = await of.back_up(of.shard)
    later = await of.user()
    _, lost = await of.campaign()
    await of.value(of.home, "UPDATE api_key SET revoked_at = now() WHERE prefix = $1", revoked)
    before, of.shard = of.shard, await of.restored(backup, at_home=False)

    assert (await of.status())["servers"] == {str(OTHER): "replication missing"}
    assert "replication of the platform's rows is set up again" in (await of.migrate("--plan"))
    refused = await of.run("migrate")
    assert refused.returncode == 1
    assert f"Another server takes part as server {OTHER}" in refused.stderr
    of.shard, after = before, of.shard
    await of.leave()
    of.shard = after
    assert f"server {OTHER} has lost the campaigns {lost}" in await of.migrate()

    await of.agree()
    assert (
        await of.value(of.shard, "SELECT author_id FROM service_content_main WHERE master_id = $1", content) == author
    )
    assert await of.value(of.shard, "SELECT count(*) FROM master WHERE id = $1", later) == 1
    assert await of.value(of.home, "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()") == 1
    await of.arrives(await of.user())
    report = await of.status()
    assert (report["servers"], report["campaigns_lost"]) == (
        {str(OTHER): "replication running"},
        {str(OTHER): [lost]},
    )
    assert not report["ready"]
    await of.migrate("--give-up-lost")
    assert (await of.status())["ready"]


async def test_a_campaign_that_was_lost_is_found_again_when_its_server_is_restored_from_a_newer_backup(
    of: Installation,
) -> None:
    await of.key()
    older = await of.back_up(of.shard)
    campaign, slug = await of.campaign()
    newer = await of.back_up(of.shard)
    state = "SELECT state FROM campaign_directory WHERE number = $1"
    for backup, wanted in ((older, "lost"), (newer, "active")):
        await of.leave()
        of.shard = await of.restored(backup, at_home=False)
        await of.migrate()
        assert await of.value(of.home, state, campaign) == wanted
    assert (await of.status())["ready"], slug


async def test_home_that_was_restored_publishes_again_and_loses_nothing_of_the_other_server(of: Installation) -> None:
    author, revoked = await of.user(), await of.key()
    first, _ = await of.campaign()
    backup = await of.back_up(of.home)
    lost_author, lost_key = await of.user(), await of.key()
    second, slug = await of.campaign()
    written = [await of.content(campaign, user) for campaign in (first, second) for user in (author, lost_author)]
    await of.value(of.home, "UPDATE api_key SET revoked_at = now() WHERE prefix = $1", revoked)
    await of.agree()
    of.home = await of.restored(backup, at_home=True)

    settings = Settings(home=of.folder, shards=f"{OTHER}={of.shard}")
    with pytest.raises(StartError, match=f"Server {OTHER} does not get the platform's rows: home does not publish"):
        await runtime.check(of.home, settings)
    said = await of.migrate()
    assert "home has lost a user" in said
    assert f"because home has lost them: the API keys {lost_key}" in said
    assert f"revoked at home, as on server {OTHER}: the API keys {revoked}" in said

    await of.agree(without=lost_author)
    assert sorted(await of.value(of.shard, "SELECT array_agg(master_id) FROM service_content_main")) == sorted(written)
    assert await of.value(of.shard, STRANGERS) == 0, "references to users hold"
    assert await of.value(of.home, "SELECT shard FROM campaign_directory WHERE slug = $1", slug) == OTHER
    assert (await of.campaign())[0] > second, "no number is used twice"
    async with pools(of.shard, readers=1, writers=1) as database:
        with within(first), pytest.raises(Exception, match="author_id"):
            await contents(database).create({"title": "by a user that was lost", "author_id": lost_author})
    await of.content(first, await of.user())
    assert (await of.status())["ready"]


async def test_home_and_the_other_server_that_were_both_restored_go_on(of: Installation) -> None:
    author = await of.user()
    campaign, _ = await of.campaign()
    home = await of.back_up(of.home)
    lost_author = await of.user()
    await of.content(campaign, lost_author)
    shard = await of.back_up(of.shard)
    await of.leave()
    of.home, of.shard = await of.restored(home, at_home=True), await of.restored(shard, at_home=False)
    await of.migrate()
    await of.agree(without=lost_author)
    assert await of.value(of.shard, STRANGERS) == 0
    await of.content(campaign, author)
    assert (await of.status())["ready"]


async def test_a_server_of_another_installation_is_refused_and_keeps_its_rows(of: Installation) -> None:
    await of.key()
    databases = await of.empty(at_home=True), await of.empty(at_home=False)
    stranger = Installation(of.place, of.folder, *databases, [], [])
    await stranger.migrate()
    await stranger.agree()
    await stranger.key()
    await stranger.user()
    await stranger.agree()
    await stranger.leave()
    await of.leave()
    rows = "SELECT count(*) FROM api_key"
    before, of.shard = await of.value(stranger.shard, rows), stranger.shard
    refused = await of.run("migrate")
    assert refused.returncode == 1
    assert f"Server {OTHER} has API keys or users, but none that home has" in refused.stderr
    assert await of.value(stranger.shard, rows) == before


async def test_backups_that_were_exchanged_are_refused(of: Installation) -> None:
    await of.user()
    await of.content((await of.campaign())[0], await of.user())
    home, shard = await of.back_up(of.home), await of.back_up(of.shard)
    right = of.home, of.shard
    of.home = await of.restored(shard, at_home=True)
    refused = await of.run("migrate")
    assert f"OVASABI_SERVER_NUMBER is 0, but the ids of this database have the number {OTHER}" in refused.stderr
    of.home, of.shard = right[0], await of.restored(home, at_home=False)
    refused = await of.run("migrate")
    assert f"gives a server the number {OTHER}, but its ids have the number 0" in refused.stderr
    of.home, of.shard = right
    await of.migrate()
    assert (await of.status())["ready"]


async def test_the_home_server_has_a_number_of_its_own(of: Installation) -> None:
    env = of.environment | {"OVASABI_SERVER_NUMBER": str(OTHER)}
    refused = await run_async("migrate", env=env)
    assert refused.returncode != 0
    assert f"the number {OTHER} is that of the home server" in refused.stderr
