"""Whatever is typed into a search is a query, or refused for naming no word; never an error of the database."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.search.full_text import MAX_LENGTH, Terms, parse_query

_LEXEME = r"'(?:[^'\\]|''|\\\\)+'"
_TERM = re.compile(
    rf"\(?{_LEXEME}(?: (?:<->|&) {_LEXEME})*(?::\*)?\)?(?: \| \(?{_LEXEME}(?: (?:<->|&) {_LEXEME})*(?::\*)?\)?)*"
)

soup = st.lists(
    st.sampled_from(
        ['"', "-", "OR", "or", "*", "a", "foo", "'", "\\", "&", "|", "!", "(", ")", ":*", "<->", " ", "  ", "\0", "é"]
    ),
    max_size=20,
).map("".join)


@pytest.mark.parametrize(
    ("text", "required", "words", "excluded"),
    [
        ("foo ", ["'foo'"], ["foo"], []),
        ("Foo BAR ", ["'foo'", "'bar'"], ["foo", "bar"], []),
        ("asyn* io ", ["'asyn':*", "'io'"], ["asyn", "io"], []),
        ('"exact phrase"', ["('exact' <-> 'phrase')"], [None], []),
        ('"never closed', ["('never' <-> 'closed')"], [None], []),
        ("foo -bar ", ["'foo'"], ["foo"], ["'bar'"]),
        ('foo -"bar baz"', ["'foo'"], ["foo"], ["('bar' <-> 'baz')"]),
        ("foo OR bar ", ["'foo' | 'bar'"], [None], []),
        ("a OR b OR c d ", ["'a' | 'b' | 'c'", "'d'"], [None, "d"], []),
        ("foo or bar ", ["'foo'", "'or'", "'bar'"], ["foo", "or", "bar"], []),
        ("OR foo ", ["'or'", "'foo'"], ["or", "foo"], []),
        ("self-made ", ["('self' & 'made')"], [None], []),
        ("foo\0bar ", ["'foo'", "'bar'"], ["foo", "bar"], []),
    ],
)
def test_a_query_is_taken_apart(text, required, words, excluded) -> None:
    assert parse_query(text) == Terms(required, words, excluded)


@pytest.mark.parametrize(
    ("text", "last", "whole"),
    [
        ("foo", "'foo':*", "'foo'"),
        ("bar foo", "'foo':*", "'foo'"),
        ("self-made", "('self' & 'made':*)", "('self' & 'made')"),
        ("foo*", "'foo':*", None),
        ("foo ", "'foo'", None),
        ('"foo"', "('foo')", None),
    ],
)
def test_the_last_word_may_still_be_being_typed(text: str, last: str, whole: str | None) -> None:
    terms = parse_query(text)
    assert (terms.required[-1], terms.whole) == (last, whole)


@pytest.mark.parametrize("text", ["", " ", "-", '""', "***", "-foo", "!&|", "\0", '-"a b"', "' \\"])
def test_a_query_that_names_no_word_is_refused(text) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_query(text)
    assert caught.value.field == "q"


def test_a_query_of_500_characters_is_the_longest() -> None:
    parse_query("x" * MAX_LENGTH)
    with pytest.raises(InvalidValue):
        parse_query("x" * (MAX_LENGTH + 1))


@given(st.text(max_size=600) | soup)
def test_any_text_is_a_query_of_quoted_lexemes_or_an_invalid_value(text) -> None:
    try:
        terms = parse_query(text)
    except InvalidValue:
        return
    assert terms.required
    assert len(terms.words) == len(terms.required)
    for term in [*terms.required, *terms.excluded]:
        assert _TERM.fullmatch(term), term


@given(st.text(max_size=100) | soup)
def test_only_a_single_bare_word_may_be_corrected(text) -> None:
    try:
        terms = parse_query(text)
    except InvalidValue:
        return
    for term, word in zip(terms.required, terms.words, strict=True):
        assert word is None or term.removesuffix(":*") == f"'{word}'"
