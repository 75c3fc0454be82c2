"""The names of a new service are derived from English nouns, in the singular or in the plural."""

import pytest

from ovasabi.cli.nouns import plural, singular

NOUNS = {
    "card": "cards", "gift_card": "gift_cards", "error": "errors", "name": "names", "key": "keys", "order": "orders",
    "status": "statuses", "class": "classes", "address": "addresses", "box": "boxes", "branch": "branches",
    "wish": "wishes", "quiz": "quizes", "category": "categories", "day": "days", "analysis": "analyses", "bus": "buses",
    "course": "courses", "house": "houses", "license": "licenses", "cache": "caches", "database": "databases",
    "alias": "aliases", "lens": "lenses", "canvas": "canvases", "idea": "ideas", "photo": "photos", "user": "users",
    "movie": "movies", "test": "tests", "v1": "v1s", "x_1": "x_1s", "list": "lists", "page": "pages",
    "client": "clients", "bonus": "bonuses", "virus": "viruses", "use": "uses", "cause": "causes",
}  # fmt: skip
ONE_WAY = {"analyses", "quizes", "canvases", "lenses", "movies", "uses"}
"""Plurals whose singular an ending does not tell."""


@pytest.mark.parametrize(("one", "many"), NOUNS.items())
def test_a_noun_has_a_plural_and_the_plural_is_its_own(one: str, many: str) -> None:
    assert (plural(one), plural(many)) == (many, many)
    assert singular(one) == one
    assert singular(many) == one or many in ONE_WAY


def test_an_abbreviation_is_a_singular() -> None:
    for one, many in {"api": "apis", "sql": "sqls", "dns": "dnses"}.items():
        assert (singular(one), plural(one)) == (one, many)


@pytest.mark.parametrize("noun", ["series", "news", "species", "test_series"])
def test_a_noun_whose_plural_is_the_same_stays(noun: str) -> None:
    assert (singular(noun), plural(noun)) == (noun, noun)
