"""Filters are read as their grammar says, and what a caller types never becomes SQL."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.declare.entity import type_of
from ovasabi.kernel.store.filters import MAX_LENGTH, Condition, filter_of, filtered_column, parse_filter
from ovasabi.services.content.entity import Comment, Content, ContentState
from ovasabi.services.product.entity import Variant

CONTENT = type_of(Content)
FILTERABLE = [field.name for field in CONTENT.fields if field.filterable]
_COLUMNS = "|".join(["master_id", "created_at", "updated_at", *(CONTENT.by_name[name].column for name in FILTERABLE)])
_PIECES = re.compile(
    rf"( |AND|OR|NOT|\(|\)|s\.({_COLUMNS})|=|<=|>=|<|>|IS DISTINCT FROM|IS NULL|IS NOT NULL|\$\d+(::text)?|ANY)*"
)

words = st.sampled_from([
    *FILTERABLE, "id", "created_at", "title", "AND", "and", "OR", "NOT", "(", ")", "=", "!=", "<", "<=", ":", "null",
    '"x"', "'it''s'", "1", "published", "2026-01-01T00:00:00Z",
    "'); DROP TABLE master; --", "$1", "s.id", ";", "\\", "--",
])  # fmt: skip
soup = st.lists(words, max_size=12).map(" ".join)


def sql(text: str) -> str:
    """The SQL of a filter on content, its parameters from $1."""
    return parse_filter(CONTENT, text, 1).sql


def values(text: str) -> tuple:
    """The parameters of a filter on content."""
    return parse_filter(CONTENT, text, 1).values


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_an_empty_filter_is_no_condition(text) -> None:
    assert parse_filter(CONTENT, text, 1) == parse_filter(CONTENT, "", 9)
    assert sql(text) == ""


@pytest.mark.parametrize(
    ("sign", "written"),
    [("=", "="), ("!=", "IS DISTINCT FROM"), ("<", "<"), ("<=", "<="), (">", ">"), (">=", ">="), (":", "=")],
)
def test_every_comparison_is_written_with_a_parameter(sign, written) -> None:
    condition = parse_filter(CONTENT, f"state{sign}draft", 3)
    assert condition.sql == f" AND (s.state {written} $3)"
    assert condition.values == ("draft",)


def test_and_binds_tighter_than_or() -> None:
    assert sql("state=draft OR state=published AND kind=video") == " AND (s.state = $1 OR s.state = $2 AND s.kind = $3)"
    assert sql("(state=draft OR state=published) AND kind=video") == (
        " AND ((s.state = $1 OR s.state = $2) AND s.kind = $3)"
    )


def test_not_binds_tighter_than_and() -> None:
    assert sql("NOT state=draft AND kind=video") == " AND (NOT (s.state = $1) AND s.kind = $2)"
    assert sql("not not state=draft") == " AND (NOT (NOT (s.state = $1)))"


def test_a_filter_cannot_break_out_of_the_campaigns_condition() -> None:
    assert sql("state=draft OR state=published").startswith(" AND (")
    assert sql("state=draft OR state=published").endswith(")")


def test_null_is_asked_for_by_the_bare_word_only() -> None:
    assert sql("published_at = null") == " AND (s.published_at IS NULL)"
    assert sql("published_at != null") == " AND (s.published_at IS NOT NULL)"
    assert values('slug = "null"') == ("null",)


def test_a_list_is_asked_for_an_element() -> None:
    assert sql("tags:python") == " AND ($1::text = ANY (s.tags))"
    for text in ("tags != python", "tags < a"):
        with pytest.raises(InvalidValue, match="element"):
            sql(text)


def test_quotes_take_any_text_and_backslashes_escape() -> None:
    assert values(r'slug = "a \"b\" \\ c"') == (r'a "b" \ c',)
    assert values("slug = 'it is'") == ("it is",)
    assert values("slug = ''") == ("",)


def test_values_are_of_the_fields_type() -> None:
    assert values("created_at > 2026-01-02T03:04:05Z") == (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),)
    assert values("id = 7 AND author_id = 8") == (7, 8)
    (price,) = parse_filter(type_of(Variant), "price >= 1.10", 1).values
    assert str(price) == "1.10"


@pytest.mark.parametrize(
    "text",
    [
        "state", "state =", "= draft", "state draft", "state = draft kind = video", "AND", "state=draft AND", "NOT",
        "(state=draft", "state=draft)", "()", "state==draft", '"state" = draft', "state = (draft)", "state = 'draft",
        "title = x", "nothing = x", "body = x", "metadata = x", "state = nonsense", "id = one", "id = 1.5",
        "created_at = yesterday", "created_at = 2026-01-01", "created_at = 2026-01-01T00:00:00", "created_at = null2",
        "(" * 21 + "state=draft" + ")" * 21, "s.state = draft", "state; = draft", "author_id = 0x10",
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused_as_the_callers_mistake(text) -> None:
    with pytest.raises(InvalidValue) as caught:
        sql(text)
    assert caught.value.field == "filter"
    assert caught.value.hint


def test_a_filter_of_2000_characters_is_the_longest() -> None:
    assert sql("state=draft".ljust(MAX_LENGTH))
    with pytest.raises(InvalidValue):
        sql("state=draft".ljust(MAX_LENGTH + 1))


def test_numbers_beyond_the_columns_range_are_refused() -> None:
    assert values(f"author_id = {2**63 - 1}") == (2**63 - 1,)
    for number in (2**63, -(2**63) - 1, 10**100):
        with pytest.raises(InvalidValue):
            sql(f"author_id = {number}")


@pytest.mark.parametrize("text", ['slug = "a\0b"', 'tags:"\0"', "section = '\0'"])
def test_the_character_that_postgresql_does_not_take_is_refused(text) -> None:
    with pytest.raises(InvalidValue):
        sql(text)


def test_the_error_names_the_fields_that_may_be_filtered_by() -> None:
    with pytest.raises(InvalidValue) as caught:
        filtered_column(CONTENT, "title")
    hint = str(caught.value.hint)
    assert all(name in hint for name in (*FILTERABLE, "id", "created_at", "updated_at"))
    assert "title" not in hint.replace("titles", "")


def test_a_secret_or_unmarked_field_is_never_filtered_by() -> None:
    for of in (CONTENT, type_of(Comment)):
        for field in of.fields:
            if not field.filterable:
                with pytest.raises(InvalidValue):
                    filtered_column(of, field.name)


@given(st.text() | soup)
def test_whatever_is_typed_gives_our_own_sql_or_an_invalid_value(text) -> None:
    try:
        condition = parse_filter(CONTENT, text, 1)
    except InvalidValue:
        return
    assert _PIECES.fullmatch(condition.sql), condition.sql
    numbers = [int(number) for number in re.findall(r"\$(\d+)", condition.sql)]
    assert numbers == list(range(1, len(condition.values) + 1))


@given(st.text(min_size=1, max_size=60).filter(lambda text: "\0" not in text))
def test_a_quoted_value_arrives_as_it_was_meant_and_only_as_a_parameter(text) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    condition = parse_filter(CONTENT, f'slug = "{quoted}"', 1)
    assert condition.sql == " AND (s.slug = $1)"
    assert condition.values == (text,)


@given(st.integers(1, 400))
def test_no_depth_of_not_overflows_anything(depth) -> None:
    assert sql("NOT " * depth + "id=1").count("NOT") == depth


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
def test_a_value_that_is_put_into_a_filter_remains_that_value(text: str) -> None:
    filter = filter_of("sku = {} OR NOT sku != {}", text, text)
    assert parse_filter(type_of(Variant), filter, 1) == Condition(
        " AND (s.sku = $1 OR NOT (s.sku IS DISTINCT FROM $2))", (text, text)
    )


@pytest.mark.parametrize(
    ("template", "value", "given"),
    [
        ("state = {}", ContentState.DRAFT, "draft"),
        ("author_id = {}", 7, 7),
        ("created_at >= {}", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        ("tags:{}", "a", "a"),
        ("tags:{}", "null", "null"),
    ],
)
def test_values_of_all_types_can_be_put_into_a_filter(template: str, value: object, given: object) -> None:
    assert values(filter_of(template, value)) == (given,)


def test_none_in_a_filter_stands_for_no_value() -> None:
    assert sql(filter_of("author_id = {}", None)) == " AND (s.author_id IS NULL)"


@pytest.mark.parametrize("given", [(), (1, 2)])
def test_a_filter_with_other_than_one_value_for_each_place_is_refused(given: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match=re.escape(f"has 1 {{}} for {len(given)} values")):
        filter_of("author_id = {}", *given)
