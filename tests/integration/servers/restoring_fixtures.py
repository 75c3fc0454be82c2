"""An installation of its own on both servers for a test that restores parts of it, with something to lose in each."""

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import msgspec

from ovasabi.kernel.call.context import PLATFORM, Role, acting, system_context
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.repository import Repository
from ovasabi.lifecycle.backup.restore import restore
from ovasabi.lifecycle.backup.save import save
from ovasabi.security.keys import create_key
from ovasabi.system.campaign.entity import Campaign
from tests.command_line import run_async
from tests.integration.kernel.fixtures import admin, contents, eventually, pools, within
from tests.integration.servers.conftest import OTHER, Place

LIMITS = {"embedded": True, "seconds": 120.0}
LEAVE = (
    "ALTER SUBSCRIPTION ovasabi_platform DISABLE",
    "ALTER SUBSCRIPTION ovasabi_platform SET (slot_name = NONE)",
    "DROP SUBSCRIPTION ovasabi_platform",
)
PLATFORM_ROWS = """
SELECT array_agg(t ORDER BY t) FROM (
  SELECT t::text FROM api_key AS t UNION ALL SELECT t::text FROM service_user_master AS t
  UNION ALL SELECT t::text FROM master AS t WHERE t.campaign_id = 0 AND t.id <> $1) AS t (t)"""
SUBSCRIBES = """
SELECT count(*) FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid
WHERE d.datname = current_database()"""
IN_USE = "SELECT count(*) FROM pg_replication_slots WHERE database = $1 AND active"
ENTERED = """
INSERT INTO campaign_directory (number, slug, shard, state) VALUES (nextval('campaign_number'), $1, $2, 'active')
RETURNING number"""


class Installation(msgspec.Struct):
    """The databases of home and of another server, and the folder for backups."""

    place: Place
    folder: Path
    home: str
    shard: str
    at_home: list[str]
    at_other: list[str]
    """All databases that there were on each server."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a command."""
        shards = f"{OTHER}={self.shard}"
        names = {"OVASABI_HOME": str(self.folder), "OVASABI_DATABASE_URL": self.home, "OVASABI_SHARDS": shards}
        return names | {"PATH": ""}

    async def run(self, *arguments: str) -> CompletedProcess[str]:
        """Runs a command."""
        return await run_async(*arguments, env=self.environment)

    async def migrate(self, *arguments: str) -> str:
        """Runs `ovasabi migrate`, which has to succeed; answers what it said."""
        done = await self.run("migrate", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    async def status(self) -> dict[str, Any]:
        """What `ovasabi status` tells; its exit code has to agree."""
        done = await self.run("status", "--json")
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (3 if report["ready"] else 4), done.stderr
        return report

    async def empty(self, *, at_home: bool) -> str:
        """A new database on a server."""
        name = f"r{uuid.uuid4().hex[:10]}"
        server = self.place.home if at_home else self.place.other
        async with admin(server.url("postgres")) as connection:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        (self.at_home if at_home else self.at_other).append(name)
        return server.url(name)

    async def back_up(self, url: str) -> Path:
        """A new backup of a database."""
        folder = self.folder / uuid.uuid4().hex
        await save(url, folder, **LIMITS)
        return folder

    async def restored(self, backup: Path, *, at_home: bool) -> str:
        """A new database on a server with what is in a backup."""
        url = await self.empty(at_home=at_home)
        await restore(url, backup, **LIMITS)
        return url

    async def leave(self) -> None:
        """Ends the subscription of the server as if the server were gone: its slot remains at home."""
        await _leave(self.shard)

    async def value(self, url: str, query: str, *args: Any) -> Any:
        """A value from a database."""
        async with admin(url) as connection:
            return await connection.fetchval(query, *args)

    async def user(self) -> int:
        """A new user; answers the id."""
        name = f"u{uuid.uuid4().hex[:10]}"
        async with pools(self.home, readers=1, writers=1) as database:
            with acting(system_context("test", PLATFORM)):
                values = {"username": name, "email": f"{name}@example.org"}
                return int((await ServiceRegistry(database).named("user").create(values)).id)

    async def key(self) -> str:
        """A new key; answers its prefix."""
        async with pools(self.home, readers=1, writers=1) as database:
            return (await create_key(database.url, "test", Role.READER)).split("_")[1]

    async def campaign(self) -> tuple[int, str]:
        """A new campaign on the other server; answers its number and slug."""
        slug = f"c{uuid.uuid4().hex[:10]}"
        number = await self.value(self.home, ENTERED, slug, OTHER)
        async with pools(self.shard, readers=1, writers=1) as database:
            with acting(system_context("test", PLATFORM)):
                await Repository(database, Campaign).create({"slug": slug, "title": slug}, number=number)
        return number, slug

    async def content(self, campaign: int, author: int) -> int:
        """A new content in a campaign of the other server by a user, whose row has arrived there."""
        await self.arrives(author)
        async with pools(self.shard, readers=1, writers=1) as database:
            with within(campaign):
                return (await contents(database).create({"title": "by a user", "author_id": author})).id

    async def arrives(self, user: int) -> None:
        """Waits until a user is on the other server."""

        async def arrived() -> bool:
            return bool(await self.value(self.shard, "SELECT count(*) FROM master WHERE id = $1", user))

        await eventually(arrived)

    async def agree(self, *, without: int = 0) -> None:
        """Waits until the other server has the platform's rows of home, besides one that is lost there."""
        wanted = await self.value(self.home, PLATFORM_ROWS, without)

        async def equal() -> bool:
            return bool(await self.value(self.shard, PLATFORM_ROWS, without) == wanted)

        await eventually(equal)


@asynccontextmanager
async def installed(place: Place, folder: Path) -> AsyncIterator[Installation]:
    """An installation; in the end, nothing of it remains that would take PostgreSQL's workers and slots."""
    made = Installation(place, folder, "", "", [], [])
    made.home, made.shard = await made.empty(at_home=True), await made.empty(at_home=False)
    try:
        await made.migrate()
        yield made
    finally:
        for name in made.at_other:
            await _leave(place.other.url(name))
        for server, names in ((place.home, made.at_home), (place.other, made.at_other)):
            for name in names:
                await _drop(server.url("postgres"), name)


async def _leave(url: str) -> None:
    async with admin(url) as connection:
        if await connection.fetchval(SUBSCRIBES):
            for statement in LEAVE:
                await connection.execute(statement)


async def _drop(url: str, name: str) -> None:
    async with admin(url) as connection:

        async def unused() -> bool:
            return bool(await connection.fetchval(IN_USE, name) == 0)

        await eventually(unused)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def soon(found: Callable[[], Awaitable[dict[str, Any]]], state: str) -> dict[str, Any]:
    """Waits until `ovasabi status` tells a state of the other server; answers all that it tells."""
    reports: list[dict[str, Any]] = []

    async def told() -> bool:
        reports.append(await found())
        return state in reports[-1]["servers"][str(OTHER)]

    await eventually(told, 60)
    return reports[-1]
