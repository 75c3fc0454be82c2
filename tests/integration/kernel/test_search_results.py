"""What a search finds, in which order, with which mistakes forgiven; and that it is of one campaign alone."""

import random
import uuid

import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import acting, on_platform, system_context
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.search.full_text import CANDIDATES, search
from ovasabi.kernel.search.registry import EntityRegistry
from ovasabi.kernel.store.repository import Repository
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.services.product.entity import Product
from ovasabi.system.user.entity import User
from tests.integration.kernel.fixtures import contents, library, make_campaign, within


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("coroutines ", ["asyncio"]),
        ("corout", ["asyncio"]),
        ("corout*  ", ["asyncio"]),
        ("CoRouTines ", ["asyncio"]),
        ('"event loop"', ["asyncio"]),
        ('"loop event"', []),
        ("event loop ", ["asyncio", "loops"]),
        ("event -loop ", []),
        ("event -coroutines ", ["loops"]),
        ('event -"event loop"', ["loops"]),
        ("decimal OR threads ", ["decimals", "threads"]),
        ("programming asynchronous ", ["asyncio"]),
        ("programming ", ["asyncio", "threads"]),
        ("größen ", ["umlaut"]),
        ("KÖLN ", ["umlaut"]),
        ("decimals ", ["decimals"]),
        ("nothingatall ", []),
    ],
)
async def test_the_web_syntax_finds_what_it_means(
    database: Database, campaign: int, query: str, found: list[str]
) -> None:
    ids = await library(database, campaign)
    with within(campaign):
        answer = await search(database, query)
    assert sorted(hit.id for hit in answer.hits) == sorted(ids[name] for name in found)
    assert not answer.corrected
    assert answer.facets == ({"content": len(found)} if found else {})


async def test_a_word_in_the_title_ranks_above_a_tag_and_that_above_the_body(database: Database, campaign: int) -> None:
    with within(campaign):
        body = await contents(database).create({"title": "one", "body": "zebra"})
        tag = await contents(database).create({"title": "two", "tags": ["zebra"]})
        title = await contents(database).create({"title": "zebra"})
        hits = (await search(database, "zebra")).hits
    assert [hit.id for hit in hits] == [title.id, tag.id, body.id]
    assert hits[0].rank > hits[1].rank > hits[2].rank > 0


async def test_a_title_is_found_among_more_matches_than_are_ranked(database: Database, campaign: int) -> None:
    with within(campaign):
        title = await contents(database).create({"title": "The common word"})
        drafts = [NewEntity({"title": f"other {n}", "body": "common"}) for n in range(700)]
        await contents(database).create_many(drafts)
        answer = await search(database, "common ")
    assert answer.hits[0].id == title.id
    assert answer.facets["content"] >= CANDIDATES


def edits(word: str, chance: random.Random) -> dict[str, str]:
    """One typing error of each kind, somewhere in a word."""
    place, letter = chance.randrange(len(word) - 1), chance.choice("qxzj")
    swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return {
        "a letter left out": word[:place] + word[place + 1 :],
        "a letter too many": word[:place] + letter + word[place:],
        "a wrong letter": word[:place] + letter + word[place + 1 :],
        "two letters swapped": swapped,
    }


async def test_one_typing_error_of_any_kind_in_a_title_word_is_forgiven(database: Database, campaign: int) -> None:
    words = [
        "lorry",
        "bread",
        "window",
        "guitar",
        "mountain",
        "keyboard",
        "elephant",
        "triangle",
        "umbrella",
        "yellow",
        "fourteen",
        "package",
        "ocean",
        "kitchen",
        "laboratory",
        "philosophy",
        "carpenter",
        "volcano",
        "breakfast",
        "dinosaur",
        "hydraulic",
        "magnitude",
        "october",
        "pilgrim",
        "quantity",
    ]
    chance, missed = random.Random(5), []
    with within(campaign):
        made = await contents(database).create_many([NewEntity({"title": f"about {word}"}) for word in words])
        for word, content in zip(words, made, strict=True):
            for kind, typed in edits(word, chance).items():
                if typed == word:
                    continue
                answer = await search(database, f"{typed} ")
                if content.id not in [hit.id for hit in answer.hits] or not answer.corrected:
                    missed.append((word, kind, typed))
                names = await EntityRegistry(database).search(typed, mode="fuzzy")
                if content.id not in [record.id for record in names]:
                    missed.append((word, f"registry: {kind}", typed))
    assert missed == []


async def test_an_exact_match_is_never_corrected_away(database: Database, campaign: int) -> None:
    with within(campaign):
        exact = await contents(database).create({"title": "house"})
        await contents(database).create({"title": "mouse"})
        answer = await search(database, "house ")
    assert ([hit.id for hit in answer.hits], answer.corrected) == ([exact.id], False)


async def test_rows_of_another_campaign_change_neither_hits_nor_ranks_nor_facets_nor_corrections(
    database: Database, campaign: int
) -> None:
    other = await make_campaign(database)
    await library(database, campaign)
    queries = ["programming ", "event -loop", "decimel ", "asynchronuos ", "statement OR lock", "progamming ", "Größn "]

    async def answers() -> list[object]:
        with within(campaign):
            registry = EntityRegistry(database)
            named = [await registry.search("decimel", mode="fuzzy"), await registry.search("*o*", mode="pattern")]
            return [[await search(database, query) for query in queries], named, await registry.list()]

    before = await answers()
    for _ in range(3):
        await library(database, other)
    with within(other):
        near = [
            NewEntity({"title": title, "body": "programming"}) for title in ("decimels", "decimel", "progamming") * 80
        ]
        await contents(database).create_many(near)
    assert await answers() == before


async def test_a_deleted_entity_is_not_found_and_a_restored_one_is(database: Database, campaign: int) -> None:
    with within(campaign):
        made = await contents(database).create({"title": "vanishing"})
        for _ in range(2):
            assert [hit.id for hit in (await search(database, "vanishing")).hits] == [made.id]
            await contents(database).delete(made.id)
            assert (await search(database, "vanishing")).hits == []
            assert (await search(database, "vanishin g")).hits == []
            await contents(database).restore(made.id)


async def test_an_updated_text_is_found_by_its_new_words_only(database: Database, campaign: int) -> None:
    with within(campaign):
        made = await contents(database).create({"title": "caterpillar"})
        await contents(database).update(made.id, {"title": "butterfly"})
        assert (await search(database, "caterpillar ")).hits == []
        assert [hit.id for hit in (await search(database, "butterfly ")).hits] == [made.id]
        assert [record.id for record in await EntityRegistry(database).search("butterfly")] == [made.id]


async def test_a_search_over_all_types_counts_each_of_them(database: Database, campaign: int) -> None:
    with within(campaign):
        for number in range(3):
            await contents(database).create({"title": f"lantern {number}"})
        product = await Repository(database, Product).create({"name": "lantern"})
        answer = await search(database, "lantern")
        only = await search(database, "lantern", types=["product"])
        limited = await search(database, "lantern", limit=2)
    assert answer.facets == {"content": 3, "product": 1}
    assert {hit.type for hit in answer.hits} == {"content", "product"}
    assert [hit.id for hit in only.hits] == [product.id]
    assert (len(limited.hits), limited.facets["content"]) == (2, 3)


async def test_global_entities_are_found_on_the_platform_and_nowhere_else(database: Database, campaign: int) -> None:
    name = f"zz{uuid.uuid4().hex[:10]}"
    with acting(system_context("test")), on_platform("users are global"):
        user = await Repository(database, User).create({"username": name, "email": f"{name}@example.org"})
        assert [hit.id for hit in (await search(database, name)).hits if hit.type == "user"] == [user.id]
    with within(campaign):
        assert (await search(database, name)).hits == []
        assert (await search(database, name, types=["user"])).hits == []


async def test_signs_that_are_no_word_to_the_parser_find_nothing_and_hide_nothing(
    database: Database, campaign: int
) -> None:
    ids = await library(database, campaign)
    with within(campaign):
        assert (await search(database, "_ ")).hits == []
        assert (await search(database, "_ -threads")).hits == []
        assert [hit.id for hit in (await search(database, "_ decimal ")).hits] == [ids["decimals"]]


@pytest.mark.parametrize("types", [["nothing"], ["master"], ["content; DROP TABLE master"], ["reaction"]])
async def test_a_type_that_cannot_be_searched_is_refused(database: Database, campaign: int, types: list[str]) -> None:
    with within(campaign), pytest.raises(InvalidValue):
        await search(database, "x", types=types)


async def test_a_word_that_is_there_is_corrected_only_if_nothing_is_found_otherwise(
    database: Database, campaign: int
) -> None:
    with within(campaign):
        right = await contents(database).create({"title": "colour theory"})
        near = await contents(database).create({"title": "colours practice"})
        assert [hit.id for hit in (await search(database, "colour theiry ")).hits] == [right.id]
        last = await search(database, "colour practise ")
        assert ([hit.id for hit in last.hits], last.corrected) == ([near.id], True)
        both = await search(database, "theory practice ")
        assert (both.hits, both.facets) == ([], {})
