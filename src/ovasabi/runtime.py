"""The running platform: its database, services and background work, and the preparation of a database for them."""

import logging
import platform as python_platform
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from ovasabi import __version__, server_states
from ovasabi.database.connection import Database
from ovasabi.database.retry import Policy, retry
from ovasabi.database.session import open_session
from ovasabi.discovery import discover
from ovasabi.errors import DatabaseUnavailable, StartError
from ovasabi.kernel.batching.concurrency import Concurrency
from ovasabi.kernel.call.context import PLATFORM, Role, acting, in_campaign, system_context
from ovasabi.kernel.service import Elsewhere, ServiceRegistry
from ovasabi.kernel.service.shards import HOME, Shards
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.lifecycle import log_epochs, partitions, replication, server_number, serving_login, sql_objects
from ovasabi.lifecycle.report import changed, next_step, report_of, write_migration
from ovasabi.lifecycle.revisions import history
from ovasabi.security.keys import Keyring, Unauthenticated, create_key
from ovasabi.security.peers import Peers, peers_of
from ovasabi.servers import opened, serving, urls_of
from ovasabi.settings import Settings
from ovasabi.system.campaign import directory

log = logging.getLogger("ovasabi.runtime")

SAMPLE_CAMPAIGN = "python"
BACKGROUND = (
    "partitions: created for the months ahead, hourly",
    "campaigns: interrupted creations and deletions are completed in the directory, hourly",
    "events: what holds the feed back is logged, and a new epoch begins if a standby took over, every minute",
    "operations: run, and taken over from other processes",
)


class Prepared(msgspec.Struct, frozen=True):
    """What a start prepared: the operator key is set only if it was newly created."""

    operator_key: str | None
    sample_campaign: str


class Stop:
    """The stop of a process, once it has begun: whoever has a part in it shares one limit of time."""

    def __init__(self) -> None:
        self._began: float | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the process is stopping, and so is not ready for further calls."""
        return self._began is not None

    def begin(self) -> None:
        """Begins the stop; does nothing if it has begun."""
        self._began = self._began or time.monotonic()

    def left_of(self, seconds: float) -> float:
        """Returns how many seconds of a limit are left, counted from the beginning."""
        return max(0.0, seconds - (0 if self._began is None else time.monotonic() - self._began))


class Platform(msgspec.Struct, frozen=True):
    """The parts of a running process."""

    settings: Settings
    database: Database
    registry: ServiceRegistry
    """The services on the home server."""
    shards: Shards[ServiceRegistry]
    """The services on each server."""
    keyring: Keyring
    peers: Peers
    calls: Concurrency
    stop: Stop
    outcomes: dict[Any, int] = msgspec.field(default_factory=dict)
    """How many calls have ended how."""


Finding = Callable[[Peers], AbstractAsyncContextManager[Elsewhere]]
"""Finds, among the peers, the services that do not run in this process."""


@asynccontextmanager
async def running(url: str, settings: Settings, elsewhere: Finding | None = None) -> AsyncIterator[Platform]:
    """Runs the platform, with its background work, on prepared databases for the duration of the block."""
    peers = peers_of(settings, discover())
    for number, each in urls_of(url, settings).items():
        await serving_login.check(each, settings, number, log.warning)
    async with (
        opened(url, settings) as databases,
        nullcontext() if elsewhere is None else elsewhere(peers) as find,
        serving(databases, settings, find) as shards,
    ):
        home = shards.home
        calls = Concurrency(settings.max_concurrent_calls)
        yield Platform(settings, home.database, home, shards, Keyring(home.database), peers, calls, Stop())


async def prepare(url: str, settings: Settings, progress: Callable[[str], None] = lambda _: None) -> Prepared:
    """Migrates a database and creates its coming partitions; on a first start, also a key and a sample campaign."""
    discover()
    for number, each in urls_of(url, settings).items():
        state = await _state(each)
        if history().pending(state.revisions) or state.outdated():
            from ovasabi.lifecycle import migrations  # SQLAlchemy and Alembic are loaded only if needed

            await migrations.upgrade(each, progress)
            state = await _state(each)
        _require_tables(state)
        await server_number.settle(each, settings.number_of(number), of_home=number == HOME)
        await log_epochs.settle(each, progress)
        await serving_login.settle(each, settings, number, progress)
    await replication.connect(urls_of(url, settings), HOME, progress)
    async with opened(url, settings) as databases:
        home = databases[HOME]
        for number, database in databases.items():
            await partitions.complete(database, settings.months_ahead)
            await directory.reconcile(home, database, number)
        with acting(system_context("start", PLATFORM)):
            file = settings.home / "operator.key"
            campaign = await _sample(home, progress, first=not file.exists())
            key = await _operator_key(home, file, url)
        return Prepared(key, campaign)


async def until_available(url: str, seconds: float, say: Callable[[str], None]) -> None:
    """Waits for a database that does not accept connections yet; raises DatabaseUnavailable after some seconds."""
    policy, told = Policy(first=0.2, longest=3.0, seconds=seconds), False

    async def attempt() -> None:
        nonlocal told
        try:
            async with _connection(url):
                return
        except DatabaseUnavailable as error:
            if seconds and not told:
                told = True
                say(f"waiting up to {seconds:g} seconds for the database: {error.__cause__ or error}")
            raise

    await retry(attempt, policy)
    if told:
        say("the database is available")


async def check(url: str, settings: Settings) -> None:
    """Checks that the databases are ready to serve; raises a StartError that says what to do if one is not.

    A server other than home may be unavailable: the campaigns of the others are served nevertheless.
    """
    discover()
    await _check(url)
    await server_number.check(url, settings.server_number)
    await log_epochs.settle(url, log.warning)
    for number, each in settings.shard_urls.items():
        with suppress(DatabaseUnavailable):
            await _check(each)
            await server_number.check(each, number, of_home=False)
            await log_epochs.settle(each, log.warning)
            async with _connection(url) as home, _connection(each) as server:
                await server_states.check(home, server, number)


async def _check(url: str) -> None:
    state = await _state(url)
    if history().pending(state.revisions):
        raise StartError(problem="The database schema is not up to date.", hint="Run: ovasabi migrate")
    if by_hand := changed(state):
        problem = f"The database has been changed by hand: {'; '.join(by_hand)}."
        raise StartError(problem=problem, hint="Run: ovasabi migrate")
    if state.outdated():
        problem = "The functions and policies of the database are those of another version of OVASABI."
        hint = (
            "If this version is the newer one, run: ovasabi migrate. Otherwise use the one that migrated the database."
        )
        raise StartError(problem=problem, hint=hint)
    _require_tables(state)


def _require_tables(state: sql_objects.State) -> None:
    if state.tables_missing:
        names = ", ".join(state.tables_missing)
        problem = f"No migration creates the table of {names}."
        raise StartError(problem=problem, hint=f"Run: {write_migration(state.tables_missing)}, then: ovasabi migrate")


async def status(url: str, settings: Settings) -> dict[str, Any]:
    """Reports on the home database: versions, migrations, campaigns, leaves, background work; and on other servers."""
    try:
        connection = await open_session(url, 5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable(reason="no connection could be made") from error
    try:
        report = await report_of(connection)
        report["next_step"] = next_step(report)
        python, postgresql = python_platform.python_version(), report.pop("postgresql")
        report["versions"] = {"ovasabi": __version__, "python": python, "postgresql": postgresql}
        report["serving_login"] = await _serving_login(url, settings)
        report["background"] = list(BACKGROUND)
        if settings.shard_urls:
            servers = await server_states.states_of(connection, settings.shard_urls)
            report |= server_states.reported(report, servers)
        return report
    finally:
        await connection.close()


async def _serving_login(url: str, settings: Settings) -> str | None:
    """Returns the login that serves, and what else it can do; None if the database refuses it."""
    with suppress(asyncpg.PostgresError, OSError):
        return str(await serving_login.powers_at(serving_login.serving_url(url, settings, HOME)))
    return None


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await open_session(url)
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError) as error:
        raise DatabaseUnavailable(reason="no connection could be made") from error
    except asyncpg.PostgresError as error:
        problem = f"The database refuses the connection: {error}."
        raise StartError(problem=problem, hint="Check OVASABI_DATABASE_URL.") from error
    try:
        yield connection
    finally:
        await connection.close()


async def _state(url: str) -> sql_objects.State:
    async with _connection(url) as connection:
        return await sql_objects.state_of(connection)


async def _operator_key(database: Database, file: Path, url: str) -> str | None:
    """Creates the operator key and its file unless the file holds a valid key; returns the key only if it is new.

    `url` is that of a login that may create keys.
    """
    with suppress(OSError, Unauthenticated):
        await Keyring(database).principal(file.read_text().strip())
        return None
    key = await create_key(url, "operator", Role.ADMIN)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(key + "\n")
    return key


async def _sample(database: Database, progress: Callable[[str], None], *, first: bool) -> str:
    """Creates a sample campaign on a first start, with the language topics that ship with Python; returns its slug.

    A first start that was interrupted is resumed, and adds what is missing. If there are other campaigns, none is
    created, and the slug of one of them is returned.
    """
    registry = ServiceRegistry(database)
    slugs = [campaign.slug for campaign in (await registry.named("campaign").list(ListRequest(page_size=100))).items]
    if not first or set(slugs) - {SAMPLE_CAMPAIGN}:
        return slugs[-1] if slugs and SAMPLE_CAMPAIGN not in slugs else SAMPLE_CAMPAIGN
    from pydoc_data.topics import topics

    progress("creating the sample campaign")
    campaign = await registry.named("campaign").create(
        {
            "slug": SAMPLE_CAMPAIGN,
            "title": "The Python language",
            "description": "The topics of Python's built-in help.",
        },
        key="sample:campaign",
    )
    with in_campaign(campaign.campaign_id):
        drafts = [
            NewEntity(
                {"title": name.replace("-", " "), "slug": name, "body": text, "tags": ["python"]}, f"sample:{name}"
            )
            for name, text in sorted(topics.items())
        ]
        await registry.named("content").create_many(drafts)
    return SAMPLE_CAMPAIGN
