"""Every SQLSTATE that our statements and functions provoke is provoked here, and told as an error of ours."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import asyncpg
import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.errors import OvasabiError
from ovasabi.gateway.exception_mapping import public_error
from ovasabi.kernel.call.context import Fence, acting, current, current_campaign
from ovasabi.kernel.call.errors import SQLSTATES
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.sqlstates import OwnSqlState
from ovasabi.kernel.call.transaction import transaction, write
from ovasabi.kernel.store.partitions import execute_with_short_locks
from tests.conftest import fresh
from tests.integration.kernel.fixtures import admin, backdated, contents, make_campaign, pools, within

Provocation = Callable[[Database], Awaitable[Any]]

SOURCES = """
SELECT p.oid::regprocedure::text AS name, p.prosrc AS source
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace = 'public'::regnamespace AND l.lanname = 'plpgsql'"""
CONSTRAINTS = """
SELECT DISTINCT contype::text AS kind FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION SELECT 'n' FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnotnull AND a.attnum > 0"""
SQLSTATE_OF_KIND = {"p": "23505", "u": "23505", "f": "23503", "c": "23514", "n": "23502", "x": "23P01"}
RAISE = re.compile(r"\bRAISE\s+(?!(?:DEBUG|LOG|INFO|NOTICE|WARNING)\b)(.*?);", re.DOTALL | re.IGNORECASE)
ERRCODE = re.compile(r"\bERRCODE\s*=\s*'([0-9A-Z]{5})'")
CAUGHT = re.compile(r"\bWHEN\s+SQLSTATE\s+'([0-9A-Z]{5})'\s+THEN\b")
KEY = """
WITH scope AS MATERIALIZED (SELECT set_config('ovasabi.campaigns', $1, true) AS set)
INSERT INTO master_key (campaign_id, type, field, value, master_id)
SELECT $2, 'content', 'slug', $3, $4 FROM scope WHERE scope.set IS NOT NULL"""


async def raised(connection: asyncpg.Connection) -> dict[str, set[str]]:
    """The SQLSTATEs that the functions of a database raise, and which functions do; P0001 is one without a code.

    Those that the function catches itself reach nobody.
    """
    found: dict[str, set[str]] = {}
    for row in await connection.fetch(SOURCES):
        for text in RAISE.findall(row["source"]):
            code = ERRCODE.search(text)
            if code is None or code[1] not in CAUGHT.findall(row["source"]):
                found.setdefault(code[1] if code else "P0001", set()).add(row["name"])
    return found


def running(sql: str, *args: Any) -> Provocation:
    """Runs a statement as the kernel does."""
    return lambda database: write(database, sql, *args)


def calling(sql: str, *args: Any) -> Provocation:
    """Runs a function of ours as those do who make partitions."""
    return lambda database: execute_with_short_locks(database, sql, *args)


async def key(database: Database, value: str | None, id: int) -> None:
    """Writes a natural key of the campaign."""
    await write(database, KEY, scope_of(current_campaign()), current_campaign(), value, id)


async def the_same_key_twice(database: Database) -> None:
    """Takes a natural key that is taken."""
    content = await contents(database).create({"title": "t", "slug": "taken"})
    await key(database, "taken", content.id)


async def a_row_outside_the_scope(database: Database) -> None:
    """Writes a row of the platform in the scope of a campaign."""
    content = await contents(database).create({"title": "t"})
    await write(database, KEY, scope_of(current_campaign()), 0, "elsewhere", content.id)


async def a_count_below_zero(database: Database) -> None:
    """Takes away what is not there."""
    async with transaction(database):
        content = await contents(database).create({"title": "t"})
        await contents(database).adjust(content.id, {"comment_count": -1}, verb="discuss")


async def a_lease_of_somebody_else(database: Database) -> None:
    """Writes under a lease that was never had."""
    with acting(msgspec.structs.replace(current(), fence=Fence("nightly", 7))):
        await contents(database).create({"title": "t"})


async def a_lock_that_is_held(database: Database) -> None:
    """Waits for a lock that another one has, and not for long."""
    async with database.transaction() as other, transaction(database) as connection:
        await other.execute("SELECT pg_advisory_xact_lock(4711, $1)", current_campaign())
        await connection.execute("SET LOCAL lock_timeout = '50ms'")
        await connection.execute("SELECT pg_advisory_xact_lock(4711, $1)", current_campaign())


async def locks_crosswise(database: Database) -> None:
    """Two that wait for each other: the server ends one."""
    both = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with transaction(database) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", first, current_campaign())
            await both.wait()
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", second, current_campaign())

    answers = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    (victim,) = [answer for answer in answers if answer is not None]
    raise victim


async def a_change_behind_a_snapshot(database: Database) -> None:
    """Changes a row that another one changed since our snapshot was taken."""
    content = await contents(database).create({"title": "t"})
    async with transaction(database) as ours, database.transaction() as theirs:
        await ours.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await ours.fetch("SELECT name FROM entity_type")
        await theirs.execute("SELECT set_config('ovasabi.campaigns', $1, true)", scope_of(current_campaign()))
        await theirs.execute("UPDATE master SET name = 'theirs' WHERE id = $1", content.id)
        await theirs.execute("COMMIT")
        await contents(database).update(content.id, {"title": "ours"})


async def a_statement_too_slow(database: Database) -> None:
    """Takes longer than it may."""
    async with transaction(database) as connection:
        await connection.execute("SET LOCAL statement_timeout = '50ms'")
        await connection.execute("SELECT pg_sleep(30)")


async def a_month_without_partition(database: Database) -> None:
    """Creates in a month for which there is none."""
    async with transaction(database):
        await backdated(database, date(2021, 3, 1)).create({"title": "t"})


async def more_words_than_an_index_holds(database: Database) -> None:
    """Asks for the search vector of a whole text of very many different words, of which our tables keep a part."""
    words = " ".join(f"word{number:07}" for number in range(150_000))
    await write(database, "SELECT to_tsvector('simple', $1)", words)


PROVOKED: list[tuple[str, str, Provocation]] = [
    ("OV002", "lease_lost", a_lease_of_somebody_else),
    ("OV003", "out_of_scope", running("SELECT require_scope($1)", 0)),
    ("OV003", "out_of_scope", a_row_outside_the_scope),
    ("OV004", "table_missing", calling("SELECT create_month($1, $2)", "nothing", date(2026, 11, 1))),
    ("OV004", "table_missing", calling("SELECT create_dedicated($1, $2)", "nothing", 1)),
    ("22000", "invalid_value", running("SELECT $1::int", "no number")),
    ("22001", "invalid_value", lambda database: key(database, "x" * 201, 1)),
    ("22003", "invalid_value", running("SELECT 2147483647 + $1::int", 1)),
    ("22007", "invalid_value", running("SELECT $1::text::date", "banana")),
    ("22008", "invalid_value", running("SELECT $1::text::date", "2026-11-31")),
    ("22009", "invalid_value", running("SELECT $1::text::timestamptz", "2026-11-21 08:00:00+16:00")),
    ("22021", "invalid_value", running("SELECT $1::text", "a\x00b")),
    ("22P02", "invalid_value", running("SELECT $1::text::int", "banana")),
    ("22P05", "invalid_value", running("SELECT $1::text::jsonb ->> 'a'", '{"a": "\\u0000"}')),
    ("23502", "rule_broken", lambda database: key(database, None, 1)),
    ("23503", "reference_missing", lambda database: key(database, "of nobody", 1)),
    ("23505", "contended", the_same_key_twice),
    ("23514", "rule_broken", a_count_below_zero),
    ("23514", "partition_missing", a_month_without_partition),
    ("40001", "contended", a_change_behind_a_snapshot),
    ("40P01", "contended", locks_crosswise),
    ("42P01", "table_missing", running("SELECT * FROM nothing")),
    ("54000", "too_large", more_words_than_an_index_holds),
    ("55P03", "contended", a_lock_that_is_held),
    ("57014", "deadline_exceeded", a_statement_too_slow),
]
BESIDE = {"OV001", "OV005"}
"""Provoked below, as the owner: the application's role has not even the right to try; and with a real subscription,
where the roads of the log are tried."""


def sqlstate_of(error: BaseException | None) -> str | None:
    """The SQLSTATE from which an error came."""
    for _ in range(5):
        if isinstance(error, asyncpg.PostgresError | asyncpg.DataError):
            return error.sqlstate
        error = error.__cause__ if error is not None else None
    return None


@pytest.mark.parametrize(
    ("sqlstate", "code", "provoke"), PROVOKED, ids=[f"{sqlstate}-{code}" for sqlstate, code, _ in PROVOKED]
)
async def test_what_postgresql_refuses_is_told_as_an_error_of_ours(
    database: Database, campaign: int, sqlstate: str, code: str, provoke: Provocation
) -> None:
    with within(campaign), pytest.raises((OvasabiError, asyncpg.PostgresError, asyncpg.DataError)) as caught:
        await provoke(database)
    assert sqlstate_of(caught.value) == sqlstate
    assert public_error(caught.value, "a test").code == code


async def test_a_change_of_the_event_log_is_refused_also_to_its_owner(
    database: Database, database_url: str, campaign: int
) -> None:
    with within(campaign):
        await contents(database).create({"title": "t"})
    async with admin(database_url) as connection:
        for change in ("UPDATE service_event SET actor = 'x'", "DELETE FROM service_event", "TRUNCATE service_event"):
            with pytest.raises(asyncpg.PostgresError) as caught:
                await connection.execute(change)
            assert caught.value.sqlstate == "OV001"
            assert public_error(caught.value, "a test").code == "append_only"


async def test_what_a_missing_grant_refuses_is_a_fault_of_ours_and_is_logged(
    server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with fresh(server, "ovasabi") as url, pools(url, readers=1, writers=1) as database:
        campaign = await make_campaign(database)
        with within(campaign):
            made = await contents(database).create({"title": "t"})
            async with admin(url) as connection:
                await connection.execute("REVOKE SELECT, INSERT ON service_content_main FROM ovasabi_app")
            for call in (contents(database).create({"title": "u"}), contents(database).get(made.id)):
                caplog.clear()
                with pytest.raises((OvasabiError, asyncpg.InsufficientPrivilegeError)) as caught:
                    await call
                assert sqlstate_of(caught.value) == "42501"
                told = public_error(caught.value, "POST /v1/contents")
                assert (told.code, told.kind) == ("internal", "internal")
                assert "permission denied for table service_content_main" in caplog.text
                assert "POST /v1/contents failed" in caplog.text


async def test_every_sqlstate_that_the_schema_provokes_is_mapped_and_provoked(database_url: str) -> None:
    async with admin(database_url) as connection:
        found = set(await raised(connection))
        kinds = {row["kind"] for row in await connection.fetch(CONSTRAINTS)}
    assert set(OwnSqlState) <= found, "each is raised by a function"
    assert {sqlstate for sqlstate in found if sqlstate.startswith("OV")} <= set(OwnSqlState), "each is listed"
    assert {"p", "u", "f", "c", "n"} <= kinds
    found |= {SQLSTATE_OF_KIND[kind] for kind in kinds}
    assert found - set(SQLSTATES) == set()
    assert {sqlstate for sqlstate, *_ in PROVOKED} | BESIDE == set(SQLSTATES)


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("RAISE EXCEPTION 'no % here', 1 USING ERRCODE = 'OV999'", "OV999"),
        ("RAISE EXCEPTION 'no code'", "P0001"),
        ("RAISE 'no level, and no code'", "P0001"),
        ("RAISE NOTICE 'only a word'", None),
    ],
)
async def test_a_sqlstate_that_is_raised_and_not_mapped_would_be_found(
    database_url: str, statement: str, sqlstate: str | None
) -> None:
    async with admin(database_url) as connection:
        before = set(await raised(connection))
        change = connection.transaction()
        await change.start()
        body = f"BEGIN IF true THEN {statement}; END IF; END"
        await connection.execute(f"CREATE FUNCTION refuses() RETURNS void LANGUAGE plpgsql AS $$ {body} $$")
        after = set(await raised(connection))
        await change.rollback()
    assert after - before == ({sqlstate} if sqlstate else set())
    assert sqlstate not in SQLSTATES
