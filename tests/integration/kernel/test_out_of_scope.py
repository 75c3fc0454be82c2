"""Without a campaign's scope no table shows or takes a row of it, and no function answers for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.locks import acquire
from ovasabi.kernel.call.sqlstates import OwnSqlState
from ovasabi.kernel.declare.entity import Scope, declared
from ovasabi.kernel.declare.methods import OPERATION
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.repository import Repository
from ovasabi.system.operation import work
from ovasabi.system.operation.entity import Operation
from tests.integration.drafts import Maker
from tests.integration.kernel.fixtures import CAMPAIGN_TABLES, admin, contents, make_campaign, within


async def seeded(database: Database, url: str) -> int:
    """A campaign with a row in each campaign-scoped table."""
    campaign = await make_campaign(database)
    maker = Maker(ServiceRegistry(database), campaign)
    for of in list(declared.values()):
        if of.scope is Scope.CAMPAIGN and of.name != OPERATION:  # whose own part is made below
            await maker.create(of.name)
    with within(campaign):
        await contents(database).create({"title": "seed", "slug": "seed"}, key="seed")
        await acquire(database, "seed", 30)
        values = {"kind": "contents_export", "request_digest": ""}
        operation = await Repository(database, Operation).create(values)
        await acquire(database, work.lease_name(operation.id), 60)  # so that no server of another test carries it out
        await work.add(database, operation.id, "contents", None, "{}")
        await work.step(database, operation.id, 1, None, "null", "null", ["seed"])
    return campaign


@contextmanager
def refused_out_of_scope() -> Iterator[None]:
    """The block is refused because of its scope, and not because a GRANT is missing."""
    with pytest.raises(asyncpg.PostgresError) as caught:
        yield
    assert caught.value.sqlstate == OwnSqlState.OUT_OF_SCOPE, caught.value


_COLUMNS = """SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
              WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
                AND has_column_privilege('ovasabi_app', attrelid, attnum, 'INSERT')"""


@pytest.mark.parametrize("scope", ["", "{}", "another campaign"])
async def test_out_of_scope_every_campaign_table_shows_nothing_and_takes_nothing(
    database: Database, database_url: str, scope: str
) -> None:
    campaign = await seeded(database, database_url)
    allowed = f"{{{await make_campaign(database)}}}" if scope == "another campaign" else scope
    async with admin(database_url) as connection:
        tables = [row["name"] for row in await connection.fetch(CAMPAIGN_TABLES)]
        assert len(tables) >= 11
        for table in tables:
            columns = await connection.fetchval(_COLUMNS, table)
            row = await connection.fetchval(
                f"SELECT to_jsonb(t) FROM {table} AS t WHERE campaign_id = $1 LIMIT 1", campaign
            )
            assert row is not None, f"{table} has no row to be seen"
            await connection.execute("SET ROLE ovasabi_app")
            await connection.execute("SELECT set_config('ovasabi.campaigns', $1, false)", allowed)
            seen = f"SELECT count(*) FROM {table} WHERE campaign_id = $1"
            assert await connection.fetchval(seen, campaign) == 0, table
            if allowed in ("", "{}"):
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
            insert = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, $1)"
            with refused_out_of_scope():
                await connection.execute(insert, msgspec.json.encode(row).decode())
            await connection.execute("RESET ROLE")


async def test_a_row_cannot_be_moved_into_another_campaign(database: Database, database_url: str) -> None:
    campaign, other = await seeded(database, database_url), await make_campaign(database)
    async with admin(database_url) as connection:
        await connection.execute("SET ROLE ovasabi_app")
        await connection.execute("SELECT set_config('ovasabi.campaigns', $1, false)", f"{{{campaign}}}")
        for table in ("service_content_main", "lease"):
            with refused_out_of_scope():
                await connection.execute(f"UPDATE {table} SET campaign_id = $1 WHERE campaign_id = $2", other, campaign)


CALLS = [
    "SELECT * FROM name_corrections($1, 'seed', 5)",
    "SELECT * FROM search_names($1, NULL, 'seed', 'text', 10)",
    "SELECT * FROM search_names($1, NULL, '%', 'pattern', 10)",
    "SELECT * FROM search_entities($1, '{content}', '{seed}', '{seed}', '{}', NULL, 10, 100)",
    "SELECT * FROM found_entities($1, NULL::service_content_main, ARRAY(SELECT id FROM master WHERE campaign_id = $1))",
]


@pytest.mark.parametrize("call", CALLS)
async def test_functions_beyond_row_level_security_refuse_a_campaign_outside_the_scope(
    database: Database, database_url: str, call: str
) -> None:
    campaign, other = await seeded(database, database_url), await make_campaign(database)
    async with admin(database_url) as connection:
        await connection.execute("SET ROLE ovasabi_app")
        for scope in ("", "{}", f"{{{other}}}", "{0}"):
            await connection.execute("SELECT set_config('ovasabi.campaigns', $1, false)", scope)
            with refused_out_of_scope():
                await connection.fetch(call, campaign)
        await connection.execute("SELECT set_config('ovasabi.campaigns', $1, false)", f"{{{campaign}}}")
        assert await connection.fetch(call, campaign)


async def test_rows_of_another_campaign_are_not_given_for_their_ids(database: Database, database_url: str) -> None:
    campaign, other = await seeded(database, database_url), await seeded(database, database_url)
    async with admin(database_url) as connection:
        ids = "SELECT array_agg(id ORDER BY id) FROM master WHERE type = 'content' AND campaign_id = ANY ($1)"
        both = await connection.fetchval(ids, [campaign, other])
        own = await connection.fetchval(ids, [campaign])
        await connection.execute("SET ROLE ovasabi_app")
        await connection.execute("SELECT set_config('ovasabi.campaigns', $1, false)", f"{{{campaign}}}")
        rows = "SELECT master_id FROM found_entities($1, NULL::service_content_main, $2)"
        assert [row["master_id"] for row in await connection.fetch(rows, campaign, both)] == own
        for records in ("found_records($1, $2)", "found_records($2)"):
            found = await connection.fetch(f"SELECT id FROM {records} WHERE $1 > 0", campaign, both)
            assert [row["id"] for row in found] == own


async def test_whether_an_entity_exists_is_told_of_the_scopes_campaigns_only(
    database: Database, database_url: str
) -> None:
    campaign, other = await make_campaign(database), await make_campaign(database)
    with within(campaign):
        made = await contents(database).create({"title": "t"})
    async with admin(database_url) as connection:
        await connection.execute("SET ROLE ovasabi_app")
        for scope, told in (("", False), (f"{{{other}}}", False), ("{0}", False), (f"{{{campaign}}}", True)):
            await connection.execute("SELECT set_config('ovasabi.campaigns', $1, false)", scope)
            query = "SELECT entity_exists($1, $2, 'content')"
            assert await connection.fetchval(query, campaign, made.id) is told
            assert await connection.fetchval(query, other, made.id) is False
