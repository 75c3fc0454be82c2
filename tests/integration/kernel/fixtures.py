"""What the kernel's tests share: contexts, repositories, and a look at the server from beside the application."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
from hypothesis import HealthCheck, settings

from ovasabi.database.connection import Database
from ovasabi.database.pools import prepare_connection
from ovasabi.database.roles import OWNER_ROLE, ensure_roles
from ovasabi.kernel.call.context import Context, acting, on_platform, system_context
from ovasabi.kernel.store.repository import Repository
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.lifecycle import migrations, partitions
from ovasabi.lifecycle.partitions import Step
from ovasabi.services.content.entity import Content
from ovasabi.system.campaign.entity import Campaign

CAMPAIGN_TABLES = """
SELECT c.oid::regclass::text AS name FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname <> 'api_key'
  AND EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND attname = 'campaign_id') ORDER BY 1"""
"""All tables with rows of campaigns; a key is looked up before its campaign is known."""

PROPERTY = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


def within(campaign: int) -> AbstractContextManager[Context]:
    """Runs a block as the system in a campaign."""
    return acting(system_context("test", campaign))


async def make_campaign(database: Database, **values: Any) -> int:
    """A campaign by the kernel alone, without the service's rules and the directory; answers its number."""
    slug = f"k{uuid.uuid4().hex[:12]}"
    number = (await database.write("SELECT nextval('campaign_number')::int"))[0][0]
    with acting(system_context("test")), on_platform("tests make campaigns"):
        made = await Repository(database, Campaign).create({"slug": slug, "title": slug, **values}, number=number)
    return made.campaign_id


def contents(database: Database) -> Repository[Content]:
    """The repository of contents."""
    return Repository(database, Content)


@asynccontextmanager
async def admin(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection, which sees everything."""
    connection = await asyncpg.connect(url, timeout=10)
    await prepare_connection(connection)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


@asynccontextmanager
async def pools(url: str, **options: Any) -> AsyncIterator[Database]:
    """Pools of a test's own."""
    database = await Database(url, **options).open()
    try:
        yield database
    finally:
        await database.close()


async def caught(answer: Awaitable[Any]) -> Any:
    """The answer, or the error in its place."""
    try:
        return await answer
    except Exception as error:
        return error


async def together(count: int, call: Callable[[int], Awaitable[Any]]) -> list[Any]:
    """The answers, or errors, of concurrent calls."""
    return list(await asyncio.gather(*(call(number) for number in range(count)), return_exceptions=True))


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Waits until `await condition()` is true, for a bounded time."""
    for _ in range(int(seconds / 0.02)):
        if await condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come true in time")


def waiting(url: str, count: int = 1) -> Callable[[], Awaitable[bool]]:
    """Whether that many sessions wait for a lock."""

    async def condition() -> bool:
        async with admin(url) as connection:
            found = await connection.fetchval("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
            return found >= count

    return condition


def kinds(answers: Iterable[Any]) -> dict[str, int]:
    """How many of each class there are."""
    counted: dict[str, int] = {}
    for answer in answers:
        counted[type(answer).__name__] = counted.get(type(answer).__name__, 0) + 1
    return counted


def month_before(months: int = 1) -> date:
    """The first day of an earlier month."""
    today = datetime.now(UTC).date()
    index = today.year * 12 + today.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


async def open_month(database: Database, month: date, table: str = "service_content_main") -> None:
    """The leaves of an earlier month, for a table's pool and for its events."""
    await partitions.apply(database, [Step(f"{table}_pool", month), Step("service_event_operational", month)])


def backdated(database: Database, month: date) -> Repository[Content]:
    """Contents whose creates take an id of that month: the real statement, with another clock."""
    repository = contents(database)
    middle = datetime(month.year, month.month, 15, 12, tzinfo=UTC).isoformat()
    clock = f"time_id(timestamptz '{middle}') | (nextval('id_sequence') & 4095) AS id"
    text = repository.sql.create
    assert text.count("nextval('id_clock') AS id") == 1
    vars(repository.sql)["create"] = text.replace("nextval('id_clock') AS id", clock)
    return repository


WRITTEN_TO = ("20261129152600_c10c", "20261129154800_c10d")
"""The migrations of what the program's statements need to write rows at all. They can be applied twice."""


async def migrate_until_writable(url: str) -> None:
    """Applies the migrations up to 0008, and what the program needs to write; with functions and grants of old."""
    await ensure_roles(url)
    await migrations.upgrade_tables(url, "0008")
    async with admin(url) as connection:
        await connection.execute(f"SET ROLE {OWNER_ROLE}")
        for revision in WRITTEN_TO:
            for file in sorted((migrations.folder() / "sql" / revision).glob("*.sql")):
                await connection.execute(file.read_text())
        await connection.execute("GRANT USAGE, SELECT ON SEQUENCE id_clock TO ovasabi_app")
        await connection.execute("SELECT setval('id_clock', time_id(clock_timestamp()))")


TEXTS = {
    "asyncio": ("Asynchronous programming", "Coroutines await each other in an event loop."),
    "threads": ("Threads and locks", "A thread waits for a lock; programming with threads is hard."),
    "decimals": ("Decimal arithmetic", "Exact numbers, rounding modes and contexts."),
    "loops": ("Loop statements", "The for statement and the while statement; the event is not one."),
    "umlaut": ("Überraschende Größen", "Grüße aus Köln, naïve café."),
}


async def library(database: Database, campaign: int) -> dict[str, int]:
    """Some texts in a campaign; answers their ids by name."""
    with within(campaign):
        drafts = [NewEntity({"title": title, "body": body, "tags": [name]}) for name, (title, body) in TEXTS.items()]
        made = await contents(database).create_many(drafts)
    return {name: content.id for name, content in zip(TEXTS, made, strict=True)}


SCHEMA = """
SELECT 'column', attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull::text,
       pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  JOIN pg_class c ON c.oid = attrelid AND relnamespace = 'public'::regnamespace AND attnum > 0 AND relkind IN ('r', 'p')
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename, indexname, indexdef, NULL, NULL FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), proacl::text,
       proowner::regrole::text, NULL
  FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND prokind <> 'a'
    AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
UNION ALL SELECT 'policy', tablename, policyname, roles::text, qual, with_check FROM pg_policies
UNION ALL SELECT 'table', relname, relacl::text, relowner::regrole::text, relrowsecurity::text,
       relforcerowsecurity::text
  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), NULL, NULL
  FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'comment', objoid::regclass::text, objsubid::text, description, NULL, NULL FROM pg_description
  WHERE classoid = 'pg_class'::regclass AND objoid >= 16384
ORDER BY 1, 2, 3, 4"""


async def schema_of(url: str) -> list[tuple]:
    """All that a migration makes, as text."""
    async with admin(url) as connection:
        return [tuple(row) for row in await connection.fetch(SCHEMA)]
