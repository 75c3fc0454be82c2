"""Names and fields that a declaration cannot have are refused when it is made, in a sentence that says which."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from ovasabi.discovery import discover
from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.entity import Entity, declared, entity
from ovasabi.kernel.declare.fields import (
    Bounds,
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
from ovasabi.kernel.declare.names import RESERVED_PLURALS
from ovasabi.kernel.service import services
from ovasabi.lifecycle.declared_schema import metadata_of
from ovasabi_client import AsyncCampaignScope, AsyncClient, CampaignScope, Client

discover()


class Long(StrEnum):
    """A value that its column would not hold."""

    VALUE = "x" * 33


class Number(Enum):
    """Values that are not text."""

    ONE = 1


@pytest.fixture
def declare() -> Iterator[Callable[..., Any]]:
    """Declares an entity for one test, and takes it back."""
    before = dict(declared)

    def made(*fields: Any, cls: str = "Samplething", folder: str = "samplething", **words: Any) -> Any:
        body = [("name", str), *fields]
        struct = msgspec.defstruct(cls, body, bases=(Entity,), module=f"ovasabi.services.{folder}.entity", kw_only=True)
        return entity(**{"plural": "samplethings", "title": "name", **words})(struct)

    yield made
    declared.clear()
    declared.update(before)


@pytest.mark.parametrize("name", Entity.__struct_fields__)
def test_a_field_that_every_entity_has_is_not_declared_again(declare: Any, name: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare((name, str, ""))
    assert str(refused.value) == f"samplething declares the field {name}, which every entity has."
    assert "samplething" not in declared


def test_neither_is_a_column_that_every_table_has(declare: Any) -> None:
    """The names are those of the schema itself, and of PostgreSQL's own columns."""
    table = metadata_of(dict(declared)).tables["service_content_main"]
    own = {field.column for field in declared["content"].fields} | set(Entity.__struct_fields__)
    for name in {*map(str, table.c.keys()), "ctid", "xmin", "tableoid"} - own:
        with pytest.raises(
            DeclarationError, match=f"The field {name} of samplething is named {name}, which the platform"
        ):
            declare((name, str, ""))


def test_a_secret_and_another_field_do_not_share_a_column(declare: Any) -> None:
    secret = ("pin", Annotated[str, Secret(str)] | UnsetType, UNSET)
    with pytest.raises(DeclarationError, match="The field pin_hash of samplething and pin have the same column"):
        declare(secret, ("pin_hash", str, ""))


TEXT = "x" * 51


FRESH = msgspec.field(default_factory=list)


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        (("camelCase", str, ""), "is named 'camelCase', which is not a valid name."),
        (("_hidden", str, ""), "is named '_hidden', which is not a valid name."),
        (("two__words", str, ""), "is named 'two__words', which is not a valid name."),
        (("from_", str, ""), "is named 'from_', which is not a valid name."),
        ((TEXT, str, ""), f"is named '{TEXT}', which is not a valid name."),
        (("run_async", str, ""), "is named run_async, which the asynchronous client reserves."),
        (("system_user", str, ""), "is named system_user, which the platform uses itself."),
        (("a", str, msgspec.field(name="b", default="")), "has another name in JSON."),
        (("a", Annotated[str, Reference("user")], ""), "is a Reference, so it must be an int."),
        (("a", Annotated[int, Numeric()], 0), "has Numeric, so it must be a Decimal."),
        (("a", Annotated[int, Bounds(ge=0)], 0), "has Bounds, so it must be a Decimal: other numbers use Meta."),
        (("a", Annotated[dict[str, str], Filter()]), "is a Filter, so it must be a single value or a list of text."),
        (("a", Annotated[list[int], Filter()]), "is a Filter, so it must be a single value or a list of text."),
        (("a", Annotated[int, Search()], 0), "has Search, so it must be text or a list of text."),
        (("a", Annotated[str, Search("E")], ""), "has Search, whose weight must be A, B, C or D."),
        (("a", Annotated[list[str], Unique()]), "is Unique, so it must be a single value."),
        (("a", Annotated[int, Unique(fold=True)], 0), "has Unique(fold=True), so it must be text."),
        (("a", Annotated[str, Secret(str)]), "is a Secret: declare it as `Annotated[str, Secret(…)] | UnsetType"),
        (("a", Annotated[str, Output()]), "is an Output, which no client can set, so it needs a default."),
        (("a", Annotated[str | None, FromMetadata("b.c")], None), "has FromMetadata with a path that is not possible."),
        (("a", Annotated[str, FromMetadata("b")]), "is derived from metadata: declare it as"),
        (("a", str, None), "has the default null, but not the type."),
        (("a", int, "x"), "has the default 'x', which is not valid: it must be an integer, not a string."),
        (
            ("a", Annotated[str, Meta(max_length=1)], "xx"),
            "has the default 'xx', which is not valid: it must have at",
        ),
        (
            ("a", Annotated[list[int], Meta(min_length=1)], FRESH),
            "has the default [], which is not valid: it must have at",
        ),
        (("a", Annotated[Decimal, Numeric(3, 1)], Decimal("1.25")), "is not valid: it has more digits than numeric(3,"),
        (("a", Annotated[Decimal, Bounds(gt=0)], Decimal(0)), "is not valid: it must be greater than 0."),
        (("a", datetime, datetime(2026, 1, 1, tzinfo=UTC)), "has a default that is not possible in SQL."),
        (("a", Long, Long.VALUE), "must have 1 to 32 characters."),
        (("a", Number, Number.ONE), "has the type Number, which must be a StrEnum with values."),
        (("a", list[Number]), "has the type Number, which must be a StrEnum with values."),
    ],
)
def test_a_field_that_cannot_be_is_refused(declare: Any, field: Any, problem: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare(field)
    assert str(refused.value).startswith(f"The field {field[0]} of samplething")
    assert problem in str(refused.value)
    assert "samplething" not in declared


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"cls": "samplething"}, "The entity 'samplething' does not have a valid name."),
        ({"cls": "AsyncJob"}, "The entity AsyncJob begins with Async"),
        ({"name": "Samplething"}, "The type of Samplething is named 'Samplething', which is not a valid name."),
        ({"plural": "Samplethings"}, "The plural of samplething is named 'Samplethings', which is not a valid name."),
        ({"plural": "import"}, "The plural of samplething is named 'import', which is not a valid name."),
        ({"table": "a b"}, "The table of samplething is named 'a b', which is not a valid name."),
        ({"scope": "campaign"}, "The scope of samplething is 'campaign'."),
        ({"stream": "loud"}, "The stream of samplething is 'loud'."),
        ({"folder": "google"}, "The service is named google, which the platform uses itself."),
        ({"folder": "x" * 40}, "has a name of more than 45 characters."),
        ({"plural": "users"}, "samplething (users) and user (users"),
        ({"plural": "content"}, "samplething (content) and content (contents"),
        ({"name": "contents"}, "contents (samplethings) and content (contents"),
        ({"folder": "content"}, "samplething and content in ovasabi.services.content.entity have the same table"),
        ({"folder": "content", "table": "master"}, "have the same events, content:create:v1:success."),
        ({"title": "missing"}, "samplething has no field 'missing', which its title or a natural key names."),
        (
            {"title": "maybe"},
            "The title of samplething is maybe, which can be null, is not stored or is not a single value.",
        ),
        ({"unique": [()]}, "A natural key of samplething is empty or names a field twice."),
        ({"unique": [("kept", "name")]}, "the parts of the natural key kept+name must be Immutable."),
        ({"unique": [("kept", "marks")]}, "marks cannot be part of a natural key"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(declare: Any, words: dict[str, Any], problem: str) -> None:
    before = dict(declared)
    fields = [
        ("maybe", str | None, None),
        ("kept", Annotated[str, Immutable()], ""),
        ("marks", Annotated[list[str], Immutable()], msgspec.field(default_factory=list)),
    ]
    with pytest.raises(DeclarationError) as refused:
        declare(*fields, **words)
    shown = (
        problem
        if "plural" not in words or "(" not in problem
        else problem.replace("(samplethings)", f"({words['plural']})")
    )
    assert shown in str(refused.value)
    assert declared == before


def test_no_collection_hides_an_attribute_of_the_client(declare: Any) -> None:
    """Those of the clients' classes that are not collections themselves are reserved."""
    labels = {service.subject.label for service in services}
    attributes = {name for cls in (Client, CampaignScope, AsyncClient, AsyncCampaignScope) for name in dir(cls)}
    own = {name for name in attributes if not name.startswith("_")} - labels
    assert {"campaign", "close"} <= own
    for name in own:
        with pytest.raises(DeclarationError, match=f"The plural of samplething is named '?{name}'?, which"):
            declare(plural=name)
    assert {"next_page_token", "total_size"} <= RESERVED_PLURALS


def test_what_looks_unusual_is_declared_nevertheless(declare: Any) -> None:
    declare(
        ("order", Annotated[int, Meta(ge=0), Filter()], 0),
        ("position", int, 0),
        ("reference", str, ""),
        ("type", Annotated[str, Filter()], ""),
        ("page_size", int, 0),
        ("as_of", datetime | None, None),
        ("ratio", float, 1.5),
        ("price", Decimal, Decimal(1)),
        ("batch", uuid.UUID | None, None),
        plural="samplesheep",
        name="samplesheep",
        unique=[],
    )
    assert declared["samplesheep"].by_name["order"].identifier == '"order"'
