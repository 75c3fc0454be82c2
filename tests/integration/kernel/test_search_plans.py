"""Searches and filters use their indexes under row-level security: by the server's plans and its own counters."""

import re
import uuid

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from ovasabi.database.roles import APP_ROLE, SEARCH_ROLE
from ovasabi.kernel.search.full_text import search
from ovasabi.kernel.search.registry import EntityRegistry
from ovasabi.kernel.store.filters import parse_filter
from ovasabi.kernel.store.listing import ListRequest, list_page
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.lifecycle import sql_objects
from tests.integration.kernel.fixtures import PROPERTY, admin, contents, make_campaign, pools, within

ROWS, RARE = 20_000, 2_000
PARENT = "service_content_main"


@pytest_asyncio.fixture(scope="module")
async def full(database: Database, database_url: str) -> int:
    """A campaign of 20,000 contents, one in 2,000 with a rare word in title, body and section."""
    campaign, repository = await make_campaign(database), contents(database)
    with within(campaign):
        for start in range(0, ROWS, 2_000):
            drafts = [NewEntity(_values(number)) for number in range(start, start + 2_000)]
            await repository.create_many(drafts)
    async with admin(database_url) as connection:
        # As autovacuum does soon after: also moves what was inserted last from the index's pending list into the index.
        await connection.execute(f"VACUUM (ANALYZE) {PARENT}, master")
    return campaign


def _values(number: int) -> dict:
    rare = number % RARE == 0
    section = "rare" if rare else f"s{number % 7}"
    return {
        "title": f"Title {number} {'rareword' if rare else 'plain'}",
        "body": f"body of words {number % 97} {'hapaxword' if rare else 'usual'}",
        "metadata": {"service_specific": {"content": {"section": section}}},
    }


async def explained(connection: asyncpg.Connection, role: str, campaign: int, sql: str, *args: object) -> str:
    """The plan of a query as a role, in the scope of a campaign."""
    await connection.execute(f"SET ROLE {role}")
    await connection.execute("SELECT set_config('ovasabi.campaigns', $1, false)", f"{{{campaign}}}")
    await connection.execute("SET plan_cache_mode = force_custom_plan")
    rows = await connection.fetch(f"EXPLAIN (COSTS OFF) {sql}", *args)
    await connection.execute("RESET ROLE")
    return "\n".join(row[0] for row in rows)


_MATCH = f"""SELECT master_id FROM {PARENT} WHERE campaign_id + 0 = $1
             AND search_vector @@ to_tsquery('simple', 'rareword') AND deleted_at IS NULL LIMIT 300"""
_NAMES = """SELECT id FROM (SELECT * FROM master
            WHERE name_keys(campaign_id, name) && name_keys($1, 'rareword') OFFSET 0) AS m"""


async def test_the_searching_role_reads_the_text_index_and_the_application_could_not(
    full: int, database_url: str
) -> None:
    async with admin(database_url) as connection:
        inside = await explained(connection, SEARCH_ROLE, full, _MATCH, full)
        direct = await explained(connection, APP_ROLE, full, _MATCH, full)
    assert "Bitmap Index Scan" in inside
    assert "search_vector" in inside.split("Bitmap Index Scan on ")[1].splitlines()[0]
    assert "search_vector_idx" not in direct, "row-level security is in force, so @@ may not go to an index"


async def test_the_searching_role_reads_the_index_of_names(full: int, database_url: str) -> None:
    async with admin(database_url) as connection:
        assert "master_name_keys_idx" in await explained(connection, SEARCH_ROLE, full, _NAMES, full)
        assert "master_name_keys_idx" not in await explained(connection, APP_ROLE, full, _NAMES, full)


class Counters:
    """How often the tables and indexes that hold a campaign's contents were read."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def read(self) -> tuple[dict[str, int], dict[str, int]]:
        """Index scans by the parent's index, and rows read one after the other by the table."""
        await self.connection.execute("SELECT pg_stat_clear_snapshot()")
        indexes = await self.connection.fetch(
            """SELECT coalesce(p.relname, c.relname) AS name, sum(s.idx_scan)::int AS scans
               FROM pg_stat_user_indexes s JOIN pg_class c ON c.oid = s.indexrelid
               LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_inherits j ON j.inhrelid = i.inhparent
               LEFT JOIN pg_class p ON p.oid = coalesce(j.inhparent, i.inhparent) GROUP BY 1"""
        )
        tables = await self.connection.fetch(
            """SELECT relname AS name, seq_tup_read::int AS rows FROM pg_stat_user_tables
               WHERE relname LIKE $1 OR relname = 'master'""",
            f"{PARENT}%",
        )
        return {row["name"]: row["scans"] for row in indexes}, {row["name"]: row["rows"] for row in tables}


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("rareword ", f"{PARENT}_search_vector_idx"),
        ("hapaxword ", f"{PARENT}_search_vector_idx"),
        ('"words 13" -usual', f"{PARENT}_search_vector_idx"),
        ("rarewrod ", "master_name_keys_idx"),
    ],
)
async def test_a_search_itself_reads_the_index_and_no_table_from_end_to_end(
    full: int, database_url: str, query: str, index: str
) -> None:
    async with pools(database_url, readers=1, writers=1) as narrow, admin(database_url) as connection:
        counters = Counters(connection)
        with within(full):
            await _flush(narrow)
            before, rows_before = await counters.read()
            answer = await search(narrow, query, types=["content"])
            await _flush(narrow)
            after, rows_after = await counters.read()
    if "-usual" not in query:
        assert len(answer.hits) == ROWS // RARE
    assert after[index] > before[index]
    read = {name: rows_after[name] - rows_before.get(name, 0) for name in rows_after}
    assert sum(read.values()) < 100, read


@pytest.mark.parametrize("query", ["usual ", "usu*  ", "usual plain ", "usual -rareword", "body OR nothing "])
async def test_words_that_most_rows_have_are_found_in_the_newest_rows_and_not_collected_by_the_index(
    full: int, database_url: str, query: str
) -> None:
    async with pools(database_url, readers=1, writers=1) as narrow, admin(database_url) as connection:
        counters = Counters(connection)
        with within(full):
            await _flush(narrow)
            before, rows_before = await counters.read()
            answer = await search(narrow, query, types=["content"])
            await _flush(narrow)
            after, rows_after = await counters.read()
    assert answer.facets == {"content": 200}
    assert after[f"{PARENT}_pkey"] > before[f"{PARENT}_pkey"]
    assert after[f"{PARENT}_search_vector_idx"] == before[f"{PARENT}_search_vector_idx"]
    read = {name: rows_after[name] - rows_before.get(name, 0) for name in rows_after}
    assert sum(read.values()) < 100, read


@pytest.mark.parametrize("mode", ["text", "fuzzy"])
async def test_a_search_by_name_reads_the_index_of_names(full: int, database_url: str, mode: str) -> None:
    async with pools(database_url, readers=1, writers=1) as narrow, admin(database_url) as connection:
        counters = Counters(connection)
        with within(full):
            await _flush(narrow)
            before, rows_before = await counters.read()
            found = await EntityRegistry(narrow).search("rareword" if mode == "text" else "rarewod", mode=mode)
            await _flush(narrow)
            after, rows_after = await counters.read()
    assert len(found) == ROWS // RARE
    assert after["master_name_keys_idx"] > before["master_name_keys_idx"]
    assert rows_after["master"] == rows_before["master"]


async def _flush(database: Database) -> None:
    for pool in (Pool.READ, Pool.READ_PLANNED):
        await database.read("SELECT pg_stat_force_next_flush()", pool=pool)
        await database.read("SELECT 1", pool=pool)


async def test_a_filter_by_a_hot_metadata_key_reads_its_index_as_the_application(
    full: int, database: Database, database_url: str
) -> None:
    repository = contents(database)
    condition = parse_filter(repository.of, "section = rare", 3)
    sql = repository.sql.list(condition.sql, "s.created_at DESC, s.master_id DESC", "$4")
    with within(full):
        page = await list_page(repository, ListRequest(filter="section = rare", include_total=True))
    async with admin(database_url) as connection:
        plan = await explained(connection, APP_ROLE, full, sql, f"{{{full}}}", full, *condition.values, 51)
    for month in {f"{item.created_at:%Y%m}" for item in page.items}:
        assert re.search(rf"Index Scan using \S*section\S* on {PARENT}_pool_{month}", plan), plan
        assert f"Seq Scan on {PARENT}_pool_{month}" not in plan
    assert page.total_size == len(page.items) == ROWS // RARE


async def test_a_look_up_by_id_touches_one_leaf(full: int, database: Database, database_url: str) -> None:
    repository = contents(database)
    with within(full):
        one = (await list_page(repository, ListRequest(page_size=1))).items[0]
    async with admin(database_url) as connection:
        args = (f"{{{full}}}", [full], [one.created_at], [one.id])
        plan = await explained(connection, APP_ROLE, full, repository.sql.get, *args)
    assert len(set(re.findall(rf"on ({PARENT}\w*)", plan))) == 1
    assert f"Seq Scan on {PARENT}" not in plan


# -- similarity, where the server has no pg_trgm

KNOWN = [
    ("word", "two words", 0.36363637), ("hello", "hello", 1.0), ("abc", "xyz", 0.0), ("", "", 0.0), ("a", "", 0.0),
    ("asynchronous", "asynchronuos", 0.5294118), ("Python", "python", 1.0), ("one two", "two one", 1.0),
    ("aaa", "aaaa", 1.0), ("foo_bar", "foo bar", 1.0), ("x-y", "x y", 1.0), ("decimal", "decimel", 0.45454547),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "value"), KNOWN)
async def test_similarity_has_the_values_of_pg_trgm(database: Database, one: str, other: str, value: float) -> None:
    (row,) = await database.read("SELECT similarity($1, $2) AS value", one, other)
    assert row["value"] == pytest.approx(value, abs=1e-6)


@pytest_asyncio.fixture(scope="module")
async def both(database_url: str) -> str:
    """A schema with our own function, beside whatever the server has."""
    schema = f"own_{uuid.uuid4().hex[:8]}"
    text = (sql_objects.folder() / "names" / "similarity.sql").read_text()
    block = text[text.rindex("DO $$") :].replace(
        "IF NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm')", "IF true"
    )
    assert "IF true" in block
    block = block.replace("trigrams(", f"{schema}.trigrams(").replace(
        "FUNCTION similarity(", f"FUNCTION {schema}.similarity("
    )
    async with admin(database_url) as connection:
        await connection.execute(f"CREATE SCHEMA {schema}")
        await connection.execute(block)
        await connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {APP_ROLE}")
    return schema


@PROPERTY
@given(
    pairs=st.lists(
        st.tuples(*[st.text(st.characters(exclude_characters="\0", max_codepoint=0x7F), max_size=12)] * 2), max_size=20
    )
)
async def test_our_similarity_is_equal_to_the_servers_own(database: Database, both: str, pairs: list) -> None:
    """On PostgreSQL 15 the server's own is pg_trgm's; the embedded one has none, and there it is ours."""
    rows = await database.read(
        f"""SELECT similarity(a, b) AS theirs, {both}.similarity(a, b) AS ours
            FROM unnest($1::text[], $2::text[]) AS p (a, b)""",
        [pair[0] for pair in pairs],
        [pair[1] for pair in pairs],
    )
    assert [row["ours"] for row in rows] == pytest.approx([row["theirs"] for row in rows], abs=1e-6)


async def test_the_servers_own_pg_trgm_is_used_where_it_is_there(database: Database, database_url: str) -> None:
    async with admin(database_url) as connection:
        offered = await connection.fetchval("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")
        installed = await connection.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")
        language = await connection.fetchval(
            """SELECT lanname FROM pg_proc JOIN pg_language l ON l.oid = prolang
               WHERE proname = 'similarity' AND pronamespace = 'public'::regnamespace"""
        )
    assert (installed, language) == ((1, "c") if offered else (0, "plpgsql"))
