"""From one declaration follow the names, the drafts and patches, the columns and the statements."""

import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.entity import SYSTEM_FIELDS, Entity, Scope, declared, entity, type_of
from ovasabi.kernel.declare.fields import (
    Filter,
    FromMetadata,
    Immutable,
    Numeric,
    Output,
    Reference,
    Search,
    Secret,
    Unique,
)
from ovasabi.kernel.events.log import EVENT_TYPE
from ovasabi.kernel.statements.writing import Statements
from ovasabi.lifecycle.declared_schema import metadata_of
from ovasabi.services.content.entity import Comment, Content, Reaction
from ovasabi.system.user.entity import User

HOME = "ovasabi.services.sampleprobe.entity"


class Mood(StrEnum):
    """An enumeration."""

    GOOD = "good"


def sealed(text: str) -> str:
    """A seal that can be seen through."""
    return f"sealed {text}"


class Sampleprobe(Entity):
    """One field of each sort."""

    __module__ = HOME

    name: Annotated[str, Meta(max_length=40, description="What it is called."), Search("A"), Unique(fold=True)]
    text: str = ""
    code: Annotated[str, Meta(max_length=8), Immutable(), Filter()] = "x"
    mood: Annotated[Mood, Filter()] = Mood.GOOD
    flag: bool = False
    count: Annotated[int, Meta(ge=0), Output()] = 0
    ratio: float | None = None
    price: Annotated[Decimal, Numeric(10, 2), Filter()] | None = None
    amount: Decimal | None = None
    at: Annotated[datetime, Filter()] | None = None
    day: date | None = None
    token: uuid.UUID | None = None
    tags: Annotated[list[Annotated[str, Meta(max_length=9)]], Filter()] = msgspec.field(default_factory=list)
    days: list[date] = msgspec.field(default_factory=list)
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    user_id: Annotated[int, Reference("user")] | None = None
    secret: Annotated[str, Meta(min_length=4), Secret(sealed)] | UnsetType = UNSET
    hot: Annotated[str, FromMetadata("service_specific.sampleprobe.hot")] | None = None


@pytest.fixture
def declare() -> Iterator[Callable[..., Any]]:
    """Declares entities for one test, and takes them back."""
    before = dict(declared)
    yield lambda cls, **words: type_of(entity(**{"plural": "sampleprobes", "title": "name", **words})(cls))
    declared.clear()
    declared.update(before)


SQL_TYPES = {
    "name": "varchar(40)", "text": "text", "code": "varchar(8)", "mood": "varchar(32)", "flag": "boolean",
    "count": "bigint", "ratio": "double precision", "price": "numeric(10,2)", "amount": "numeric(20,8)",
    "at": "timestamptz", "day": "date", "token": "uuid", "tags": "text[]", "days": "date[]", "extra": "jsonb",
    "user_id": "bigint", "secret": "varchar(255)", "hot": "text",
}  # fmt: skip


def test_every_field_has_the_column_type_of_its_annotation(declare) -> None:
    assert {field.name: field.sql_type for field in declare(Sampleprobe).fields} == SQL_TYPES


def test_the_declared_schema_holds_the_same_columns(declare) -> None:
    of = declare(Sampleprobe)
    table = metadata_of({"sampleprobe": of}).tables["service_sampleprobe_main"]
    kept = {"campaign_id", "created_at", "master_id", "metadata", "updated_at", "deleted_at", "search_vector"}
    of_references = {"platform_campaign_id"}  # user_id refers to the platform
    assert set(table.c.keys()) == kept | of_references | {field.column for field in of.fields}
    assert [column.name for column in table.primary_key] == ["campaign_id", "created_at", "master_id"]
    assert "secret" not in table.c
    assert table.c.secret_hash.type.length == 255


def test_what_a_field_requires_allows_and_sorts_by_follows_from_its_annotation(declare) -> None:
    fields = declare(Sampleprobe).fields
    assert {field.name for field in fields if field.required} == {"name"}
    assert {field.name for field in fields if field.nullable} == {
        "ratio", "price", "amount", "at", "day", "token", "user_id", "secret", "hot",
    }  # fmt: skip
    assert {field.name for field in fields if field.filterable} == {
        "name", "code", "mood", "price", "at", "tags", "user_id", "hot",
    }  # fmt: skip
    assert "tags" not in {field.name for field in fields if field.sortable}
    assert {field.name for field in fields if field.is_list} == {"tags", "days"}


def test_names_follow_from_the_class_and_its_folder(declare) -> None:
    of = declare(Sampleprobe)
    assert (of.name, of.service, of.table_name, of.scope) == (
        "sampleprobe",
        "sampleprobe",
        "service_sampleprobe_main",
        Scope.CAMPAIGN,
    )
    assert of.event_type("publish") == "sampleprobe:publish:v1:success"
    side = declare(Sampleprobe, name="sampledetail", plural="sampledetails", table="detail")
    assert side.table_name == "service_sampleprobe_detail"
    assert side.event_type("create", "failed") == "sampleprobe:create_sampledetail:v1:failed"
    assert all(EVENT_TYPE.fullmatch(of.event_type(verb)) for of in declared.values() for verb in ("create", "delete"))


def test_a_draft_takes_what_a_client_may_set_and_nothing_else(declare) -> None:
    draft = declare(Sampleprobe).draft
    made = msgspec.convert({"name": "n"}, draft)
    assert set(draft.__struct_fields__) == set(SQL_TYPES) - {"count", "hot"} | {"metadata"}
    assert (made.mood, made.tags, made.metadata, made.secret) == (Mood.GOOD, [], {}, UNSET)
    for wrong in ({}, {"name": None}, {"name": "n" * 41}, {"name": "n", "secret": "abc"}, {"name": "n", "mood": "bad"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, draft)
    for name in ("count", "hot", "unknown", *SYSTEM_FIELDS):
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.convert({"name": "n", name: 1}, draft)


def test_the_lists_of_two_drafts_are_not_one_list(declare) -> None:
    draft = declare(Sampleprobe).draft
    one, other = draft(name="a"), draft(name="b")
    one.tags.append("x")
    one.metadata["x"] = 1
    assert (other.tags, other.metadata) == ([], {})


def test_a_patch_takes_what_may_change_and_leaves_the_rest_unset(declare) -> None:
    patch = declare(Sampleprobe).patch
    empty = msgspec.convert({}, patch)
    assert set(patch.__struct_fields__) == set(SQL_TYPES) - {"count", "hot", "code"} | {"metadata"}
    assert all(getattr(empty, name) is UNSET for name in patch.__struct_fields__)
    assert msgspec.json.encode(empty) == b"{}"
    assert msgspec.convert({"price": None, "name": "m"}, patch).price is None
    for wrong in ({"code": "y"}, {"count": 1}, {"id": 1}, {"version": 2}, {"name": None}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, patch)


def test_a_secret_is_in_drafts_and_patches_and_nowhere_that_is_read() -> None:
    of = type_of(User)
    assert "password" in of.draft.__struct_fields__
    assert "password" not in {field.name for field in of.shown}
    sql = Statements(of)
    for text in (sql.get, sql.list("", "s.master_id", "1"), sql.columns):
        assert "password" not in text
    assert "password_hash" in sql.secrets
    for text in (sql.create, sql.update):
        assert "- ARRAY['password_hash']" in text


@pytest.mark.parametrize("of", declared.values(), ids=lambda of: of.name)
def test_the_statements_of_every_declared_entity_are_made_once_and_scope_themselves_first(of) -> None:
    sql = Statements(of)
    for name in ("create", "update", "delete", "restore", "get"):
        text = getattr(sql, name)
        assert text is getattr(sql, name)
        assert text.index("set_config('ovasabi.campaigns', $1, true)") < text.index(of.table_name)


def test_an_undeclared_class_is_no_entity() -> None:
    with pytest.raises(TypeError, match="not declared"):
        type_of(Entity)


def test_a_title_or_key_that_is_no_field_is_refused(declare) -> None:
    for words in ({"title": "nothing"}, {"unique": [("name", "nothing")]}, {"title": "id"}):
        with pytest.raises(TypeError, match="has no field"):
            declare(Sampleprobe, **words)


def test_a_type_name_is_declared_by_one_module_only(declare) -> None:
    with pytest.raises(TypeError, match=r"declared by ovasabi\.services\.content\.entity\.Content"):
        declare(Sampleprobe, name="content")


def test_a_reference_to_an_undeclared_type_is_refused_when_the_statements_are_made(declare) -> None:
    class Samplelost(Entity):
        __module__ = HOME
        name: str
        samplething_id: Annotated[int, Reference("samplething")] | None = None

    with pytest.raises(TypeError, match="'samplething', which is not declared"):
        _ = Statements(declare(Samplelost)).create


def test_a_key_of_several_fields_must_have_immutable_parts(declare) -> None:
    with pytest.raises(DeclarationError, match="Immutable"):
        declare(Sampleprobe, unique=[("code", "mood")])
    assert Statements(type_of(Reaction)).update


def test_only_an_entity_with_counters_can_be_adjusted() -> None:
    assert "comment_count" in Statements(type_of(Content)).adjust
    with pytest.raises(TypeError, match="no counters"):
        _ = Statements(type_of(Comment)).adjust


def test_a_default_that_sql_cannot_say_is_refused(declare) -> None:
    class Odd(Entity):
        __module__ = HOME
        name: str
        day: date = date(2026, 1, 1)

    with pytest.raises(DeclarationError, match="field day of odd has a default that is not possible in SQL"):
        declare(Odd)
