"""Whatever is typed into a search is text: it never becomes code, and never an error of the database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.database.connection import Database
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.search.full_text import search
from ovasabi.kernel.search.registry import EntityRegistry
from tests.integration.kernel.fixtures import PROPERTY, TEXTS, admin, library, within

INJECTIONS = [
    "'; DROP TABLE master; --", "' OR '1'='1", "\\'; SELECT 1; --", "a' & !'b", "a:* | !b", "%s", "$1", "%I",
    "'||'", "<->",
    "a <-> b", "((((", "\\", "''", "' '", ":*", "!", "&&&", "a\\", "\\\\'", "{a,b}", '"a" "b', "^[[:alnum:]]",
    "E'\\x27'",
]  # fmt: skip


@pytest.mark.parametrize("mode", ["entities", "text", "pattern", "fuzzy"])
async def test_a_query_that_looks_like_code_is_only_text(
    database: Database, database_url: str, campaign: int, mode: str
) -> None:
    ids = await library(database, campaign)
    with within(campaign):
        for query in [f"{prefix}{text}" for text in INJECTIONS for prefix in ("", "decimal ", "-")]:
            try:
                if mode == "entities":
                    found = {hit.id for hit in (await search(database, query)).hits}
                else:
                    found = {record.id for record in await EntityRegistry(database).search(query, mode=mode)}
            except InvalidValue:
                continue
            assert found <= set(ids.values()) | await _own(database_url, campaign)
        assert [hit.id for hit in (await search(database, "decimal ")).hits] == [ids["decimals"]]


async def _own(url: str, campaign: int) -> set[int]:
    async with admin(url) as connection:
        return {row["id"] for row in await connection.fetch("SELECT id FROM master WHERE campaign_id = $1", campaign)}


anything = st.text(max_size=60) | st.lists(
    st.sampled_from(
        [
            '"',
            "-",
            "OR",
            "*",
            "'",
            "\\",
            "&",
            "|",
            "!",
            "(",
            ":",
            "<->",
            " ",
            "a",
            "bc",
            "\0",
            "%",
            "_",
            "?",
            "é",
            "\ud800",
        ]
    ),
    max_size=15,
).map("".join)


@PROPERTY
@given(query=anything)
async def test_whatever_is_typed_is_answered_or_an_invalid_value(database: Database, campaign: int, query: str) -> None:
    with within(campaign):
        for call in (
            search(database, query),
            EntityRegistry(database).search(query),
            EntityRegistry(database).search(query, mode="pattern"),
            EntityRegistry(database).search(query, mode="fuzzy"),
        ):
            try:
                assert await call is not None
            except InvalidValue:
                continue


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("Thread*", {"threads"}), ("*lock*", {"threads"}), ("loop", {"loops"}), ("?ecimal*", {"decimals"}),
        ("*", set(TEXTS)), ("threads and locks", {"threads"}), ("%", set()), ("_", set()), ("Loop_statements", set()),
    ],
)  # fmt: skip
async def test_a_pattern_takes_stars_and_question_marks_and_nothing_else(
    database: Database, campaign: int, pattern: str, found: set[str]
) -> None:
    ids = await library(database, campaign)
    with within(campaign):
        records = await EntityRegistry(database).search(pattern, mode="pattern", types=["content"], limit=100)
    assert {record.id for record in records} == {ids[name] for name in found}
