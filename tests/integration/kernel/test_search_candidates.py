"""Which matches are ranked where words are common: as many as there are, up to 200, and the best of them first."""

import random

import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.kernel.search.full_text import CANDIDATES, parse_query, search
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.lifecycle import partitions
from tests.integration.kernel.fixtures import admin, contents, make_campaign, within

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "river",
    "stone",
    "cloud",
    "maple",
    "copper",
    "lantern",
    "violet",
    "thunder",
    "harbour",
    "walnut",
    "saffron",
    "quartz",
]
ROWS = 1_500
TRUTH = """
SELECT master_id, ts_rank(search_vector, $2) AS rank FROM service_content_main
WHERE campaign_id = $1 AND deleted_at IS NULL AND search_vector @@ $2"""


async def make(database: Database, campaign: int, bodies: list[str]) -> list[int]:
    """Contents with such bodies, the oldest first; answers their ids."""
    with within(campaign):
        drafts = [NewEntity({"title": f"number {n}", "body": body}) for n, body in enumerate(bodies)]
        made = [await contents(database).create_many(drafts[at : at + 500]) for at in range(0, len(drafts), 500)]
    return [content.id for batch in made for content in batch]


@pytest_asyncio.fixture(scope="module", params=["pool", "own partitions"])
async def texts(request: pytest.FixtureRequest, database: Database) -> int:
    """A campaign of texts in which the first words are in nearly all, and the last in few."""
    campaign, other, chance = await make_campaign(database), await make_campaign(database), random.Random(3)
    if request.param != "pool":
        await partitions.dedicate(database, campaign, 0)
    weights = [2 ** -(place / 1.3) for place in range(len(WORDS))]
    bodies = [" ".join(chance.choices(WORDS, weights, k=chance.randint(4, 30))) for _ in range(ROWS)]
    await make(database, other, bodies[:300])
    await make(database, campaign, bodies)
    return campaign


def queries() -> list[str]:
    """Words, phrases, exclusions, alternatives and prefixes, of all degrees of commonness."""
    chance, made = random.Random(4), [f"{word} " for word in WORDS]
    for _ in range(20):
        one, two, three = chance.sample(WORDS, 3)
        made += [
            f"{one} {two} ",
            f"{one} {two} {three} ",
            f'"{one} {two}"',
            f"{one} -{two} ",
            f'{one} -"{two} {three}"',
        ]
        made += [f"{one} OR {two} ", f"{one} {two} OR {three} ", f"{one} {two[:3]}*  ", f"{one[:2]}* -{two}* "]
    return made


async def test_as_many_matches_are_ranked_as_there_are_and_the_best_come_first(
    texts: int, database: Database, database_url: str
) -> None:
    seen = set()
    async with admin(database_url) as connection:
        for query in queries():
            terms = parse_query(query)
            parts = [f"({term})" for term in terms.required] + [f"!({term})" for term in terms.excluded]
            text = await connection.fetchval("SELECT to_tsquery('simple', $1)::text", " & ".join(parts))
            true = {
                row["master_id"]: row["rank"]
                for row in await connection.fetch(TRUTH.replace("$2", "$2::text::tsquery"), texts, text)
            }
            with within(texts):
                answer = await search(database, query, types=["content"], limit=100)
            if answer.corrected:
                assert true == {}, query
                continue
            ranks = sorted(true.values(), reverse=True)
            assert answer.facets.get("content", 0) == min(len(true), CANDIDATES), query
            assert all(true[hit.id] == pytest.approx(hit.rank) for hit in answer.hits), query
            if len(true) <= CANDIDATES:
                assert [hit.rank for hit in answer.hits] == pytest.approx(ranks[:100]), query
            seen.add("none" if not true else "all" if len(true) <= CANDIDATES else "some")
    assert seen == {"none", "all", "some"}


async def test_of_the_newest_matches_of_a_common_word_the_best_are_first(database: Database, campaign: int) -> None:
    await make(database, campaign, ["common"] * 300)
    with within(campaign):
        tagged = await contents(database).create({"title": "x", "tags": ["common"]})
    newest = await make(database, campaign, ["common"] * 100)
    with within(campaign):
        hits = (await search(database, "common ", limit=50)).hits
    assert hits[0].id == tagged.id
    assert {hit.id for hit in hits[1:]} <= set(newest)


async def test_matches_are_complete_where_a_word_is_common_among_the_newest_rows_only(
    database: Database, campaign: int
) -> None:
    old = await make(database, campaign, ["mixed"] * 30)
    await make(database, campaign, ["plain"] * 600)
    new = await make(database, campaign, ["mixed"] * 120)
    with within(campaign):
        answer = await search(database, "mixed ", limit=100)
        both = await search(database, "mixed plain ")
    assert answer.facets == {"content": len(old) + len(new)}
    assert both.facets == {}


async def test_matches_are_complete_where_a_word_is_rare_among_the_newest_rows_only(
    database: Database, campaign: int
) -> None:
    wanted = await make(database, campaign, ["seldom other"] * 3)
    # More rows with the one word than are looked through for the other.
    await make(database, campaign, ["seldom"] * 4_200)
    wanted += await make(database, campaign, ["seldom other"] * 2)
    await make(database, campaign, ["other", "plain"] * 100)
    with within(campaign):
        answer = await search(database, "seldom other ")
        excluded = await search(database, "other -seldom ", limit=100)
    assert {hit.id for hit in answer.hits} == set(wanted)
    assert excluded.facets == {"content": 100}


async def test_common_words_that_seldom_meet_fill_a_page_with_the_newest_and_those_named_so_or_are_all_found(
    database: Database, campaign: int
) -> None:
    with within(campaign):
        named = await contents(database).create({"title": "red green blue"})
    bodies = ["red green", "green blue", "blue red"] * 1_400
    bodies[::50] = ["red green blue"] * len(bodies[::50])
    await make(database, campaign, bodies)
    with within(campaign):
        page = await search(database, "red green blue ")
        most = await search(database, "red green blue ", limit=100)
    assert page.hits[0].id == named.id
    assert len(page.hits) == 20
    assert page.facets == {"content": 4_000 // 50}, "of the newest 4,000"
    assert most.facets == {"content": 4_200 // 50 + 1}, "of all, since those do not fill the page"
    assert most.hits[0].id == named.id


async def test_of_a_phrase_of_very_common_words_the_newest_rows_are_looked_at_and_of_rarer_words_all(
    database: Database, campaign: int
) -> None:
    old = await make(database, campaign, ["red apple pie"] * 3)
    await make(database, campaign, ["apple red"] * 4_200)
    new = await make(database, campaign, ["red apple"] * 2)
    with within(campaign):
        common = await search(database, '"red apple"')
        rarer = await search(database, '"red apple pie"')
        absent = await search(database, '"pie red"')
    assert {hit.id for hit in common.hits} == set(new)
    assert {hit.id for hit in rarer.hits} == set(old)
    assert absent.hits == []
