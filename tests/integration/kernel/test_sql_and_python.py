"""What is computed both in SQL and in Python comes out the same."""

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.database.connection import Database
from ovasabi.kernel.declare.ids import EPOCH, MAX_ID, id_time, parse_reference, time_id, uuid_id
from ovasabi.kernel.declare.metadata import merge
from tests.integration.kernel.fixtures import PROPERTY, contents, within

ids = st.integers(0, MAX_ID)
times = st.datetimes(datetime(2020, 1, 1), id_time(MAX_ID).replace(tzinfo=None), timezones=st.just(UTC))
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
plain = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | text
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=4))


@PROPERTY
@given(some=st.lists(ids, min_size=1, max_size=20))
async def test_the_time_of_an_id_is_the_same_in_sql_and_python(database: Database, some: list[int]) -> None:
    rows = await database.read("SELECT i AS id, id_time(i) AS at FROM unnest($1::bigint[]) AS i", some)
    assert [(row["id"], row["at"]) for row in rows] == [(id, id_time(id)) for id in some]


@PROPERTY
@given(some=st.lists(times, min_size=1, max_size=20))
async def test_the_id_of_a_time_is_the_same_in_sql_and_python(database: Database, some: list[datetime]) -> None:
    rows = await database.read("SELECT time_id(t) FROM unnest($1::timestamptz[]) AS t", some)
    assert [row[0] for row in rows] == [time_id(at) for at in some]


@PROPERTY
@given(some=st.lists(ids, min_size=1, max_size=20))
async def test_a_uuid_made_by_sql_is_version_7_and_gives_its_id_in_both(database: Database, some: list[int]) -> None:
    query = """SELECT i AS id, u AS uuid, uuid_id(u) AS back
               FROM (SELECT i, id_uuid(i) AS u FROM unnest($1::bigint[]) AS i) AS x"""
    for row in await database.read(query, some):
        reference = uuid.UUID(str(row["uuid"]))
        assert (reference.version, reference.variant) == (7, uuid.RFC_4122)
        assert row["back"] == uuid_id(reference) == row["id"]
        assert parse_reference(str(reference)) == (row["id"], reference)


async def test_new_ids_are_of_now_fit_53_bits_and_do_not_repeat(database: Database) -> None:
    before = datetime.now(UTC)
    rows = await database.write("SELECT next_id() AS id, clock_timestamp() AS at FROM generate_series(1, 2000)")
    made = [row["id"] for row in rows]
    assert len(set(made)) == 2000
    assert all(time_id(before) <= id <= MAX_ID for id in made)
    assert made == sorted(made)
    # Rounded down, as time_id is: an id is ahead of the clock only where 128 in a millisecond were not enough.
    assert all(id_time(row["id"]) <= row["at"] + timedelta(milliseconds=2 + n / 128) for n, row in enumerate(rows))


async def test_the_epoch_and_the_bounds_are_the_same(database: Database) -> None:
    (row,) = await database.read("SELECT id_time(0) AS first, time_id($1) AS zero, id_time($2) AS last", EPOCH, MAX_ID)
    assert (row["first"], row["zero"], row["last"]) == (EPOCH, 0, id_time(MAX_ID))


@PROPERTY
@given(pairs=st.lists(st.tuples(values, values), min_size=1, max_size=10))
async def test_metadata_merges_the_same_in_sql_and_python(database: Database, pairs: list) -> None:
    def encoded(place: int) -> list[str]:
        return [msgspec.json.encode(pair[place]).decode() for pair in pairs]

    query = """SELECT metadata_merge(t, p)::text AS merged
               FROM unnest($1::jsonb[], $2::jsonb[]) WITH ORDINALITY AS u (t, p, n) ORDER BY n"""
    rows = await database.read(query, encoded(0), encoded(1))
    assert [msgspec.json.decode(row["merged"]) for row in rows] == [merge(*pair) for pair in pairs]


@PROPERTY
@given(section=plain | st.floats(allow_nan=False, allow_infinity=False) | values)
async def test_a_hot_key_is_answered_by_a_create_as_the_database_derives_it(
    database: Database, campaign: int, section: object
) -> None:
    metadata = {"service_specific": {"content": {"section": section}}}
    with within(campaign):
        made = await contents(database).create({"title": "hot", "metadata": metadata})
        assert made.section == (await contents(database).get(made.id)).section
