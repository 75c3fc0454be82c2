"""Types, limits, defaults and markers that could not work everywhere are refused when an entity is declared.

Each case was tried: it was accepted, and then failed in a migration, at the first request, or in a generated file.
"""

import enum
import itertools
import typing
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from ovasabi.discovery import discover
from ovasabi.errors import DeclarationError, Kind, OvasabiError, such_as
from ovasabi.kernel.declare.entity import Entity, declared, entity, type_of
from ovasabi.kernel.declare.fields import (
    Bounds,
    Filter,
    FromMetadata,
    Immutable,
    Marker,
    Numeric,
    Output,
    Personal,
    Reference,
    Search,
    Secret,
    Unique,
)
from ovasabi.lifecycle.declared_schema import metadata_of
from ovasabi.services.content.entity import Content

discover()


class Mood(StrEnum):
    """An enumeration."""

    GOOD = "good"
    BAD = "bad"


class Alias(StrEnum):
    """Two names of one value."""

    GOOD = "good"
    FINE = "good"


class Number(IntEnum):
    """Values that are not text."""

    ONE = 1


class Spot(msgspec.Struct, frozen=True):
    """A place."""

    x: int


class Own(Marker, frozen=True):
    """A marker that nothing knows."""


class Refused(OvasabiError):
    """An error with a placeholder."""

    kind = Kind.PRECONDITION
    code = "refused_of_the_test"
    message = "The {thing} is refused."
    example = such_as(thing="room")


Text = typing.NewType("Text", str)
Boxed = msgspec.defstruct("Boxed", [("value", int)], bases=())
NONE: tuple[Any, ...] = ()


async def late(text: str) -> str:
    """Seals a secret too late."""
    return text


def two(text: str, other: str) -> str:
    """Seals two secrets."""
    return text + other


@pytest.fixture
def declare() -> Iterator[Callable[..., Any]]:
    """Declares an entity with some fields for one test, and takes it back."""
    before = dict(declared)

    def made(*fields: Any, **words: Any) -> Any:
        body = [("name", str), *fields]
        struct = msgspec.defstruct(
            "Samplething", body, bases=(Entity,), module="ovasabi.services.samplething.entity", kw_only=True
        )
        return type_of(entity(**{"plural": "samplethings", "title": "name", **words})(struct))

    yield made
    declared.clear()
    declared.update(before)


UNSUPPORTED = [
    Any, object, bytes, bytearray, complex, type, time, timedelta, Sequence[str], set[str], frozenset[str],
    tuple[int, str], tuple[str, ...], list, dict, dict[int, str], dict[Mood, str], dict[Any, Any], dict[int, Any],
    Literal["a"], Literal[1], Text, Callable[[], int], typing.TypeVar("T"), msgspec.Raw, typing.NamedTuple("N", x=int),
    enum.Flag, list[Any], list[bytes], dict[str, set[str]],
]  # fmt: skip


@pytest.mark.parametrize("hint", UNSUPPORTED, ids=str)
def test_a_type_that_not_everything_can_express_is_refused(declare: Any, hint: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^The field a of samplething") as refused:
        declare(("a", hint))
    text = str(refused.value)
    assert "which is not supported." in text or "must be a StrEnum with values." in text


ODD_TYPES = [
    (int | str, "has several types: int | str."),
    (int | str | None, "has several types: int | str | None."),
    (list[str] | None, "has the type list[str] | None, whose null protobuf cannot tell from an empty value."),
    (dict[str, str] | None, "whose null protobuf cannot tell from an empty value."),
    (list[list[int]], "has items of the type list[int]: they must not be null, lists or maps."),
    (list[str | None], "has items of the type str | None: they must not be null, lists or maps."),
    (dict[str, dict[str, str]], "has values of the type dict[str, str]: they must not be null, lists or maps."),
    (list[int | str], "in its items, has several types: int | str."),
    (list[Decimal], "is a list of decimals, which would be rounded."),
    (Alias, "GOOD of Alias have the same value, 'good'."),
    (dict[str, Number], "has the type Number, which must be a StrEnum with values."),
    (Content, "is an entity."),
    (Annotated[str, Filter], "has Filter in its annotation, which means nothing there."),
    (Annotated[str, "hello"], "has hello in its annotation, which means nothing there."),
    (Annotated[str, Own()], "has Own() in its annotation, which means nothing there."),
    (Annotated[str, Search("A"), Search("B")], "has the marker Search twice."),
    (list[Annotated[int, Reference("user")]], "in its items, has Reference(type='user', "),
    (Annotated[str, Meta(min_length=5, max_length=3)] | None, "has max_length=3, which must be between 5 and"),
    (Annotated[str, Meta(max_length=0)], "has max_length=0, which must be between 1 and"),
    (Annotated[str, Meta(max_length=20_000_000)], "which must be between 1 and 10485760."),
    (Annotated[int, Meta(ge=5, le=3)], "has limits that no value is within."),
    (Annotated[int, Meta(gt=3, lt=4)], "has limits that no value is within."),
    (Annotated[float, Meta(gt=3, le=3)], "has limits that no value is within."),
    (Annotated[int, Meta(ge=1, le=9, multiple_of=10)], "has limits that no value is within."),
    (Annotated[int, Meta(ge=2**64)], "has limits that are not possible: Integer bounds constraints"),
    (Annotated[bool, Meta(ge=1)], "has limits that are not possible: Can only set `ge` on a numeric type"),
    (Annotated[str, Meta(pattern="(?i)^a$")], "has a pattern with '(?', which only Python understands."),
    (Annotated[str, Meta(pattern="^(?P<x>a)$")], "has a pattern with '(?', which only Python understands."),
    (Annotated[str, Meta(pattern=r"\Aa\Z")], "has a pattern with '\\\\A', which only Python understands."),
    (Annotated[str, Meta(pattern="^a++$")], "has a pattern with '++', which only Python understands."),
    (Annotated[int, Meta(examples=["x"])], "has the example 'x', which is not valid: it must be an integer"),
    (Annotated[int, Meta(ge=5, examples=[1])], "has the example 1, which is not valid: it must be at least 5"),
    (Annotated[str, Meta(description="a\0b")], "has a description with control characters."),
    (Annotated[datetime, Meta(tz=False)], "has no time zone, but timestamps are stored in UTC."),
    (Annotated[int, Meta(ge=1 << 53), Reference("user")], "is a Reference, so it has no limits of its own."),
    (Annotated[str, Meta(extra_json_schema={"type": "integer"})], "has 'type' in extra_json_schema, which follows"),
    (Annotated[Decimal, Numeric(2, 5)], "has Numeric with digits that are not possible"),
    (Annotated[Decimal, Numeric(2, 2)], "has Numeric with digits that are not possible"),
    (Annotated[Decimal, Numeric(5, -2)], "has Numeric with digits that are not possible"),
    (Annotated[Decimal, Numeric(2000, 5)], "has Numeric with digits that are not possible"),
    (Annotated[Decimal, Bounds(ge=5, le=3)], "has Bounds that no value is within."),
    (Annotated[Decimal, Bounds(gt=5, le=5)], "has Bounds that no value is within."),
    (Annotated[Decimal, Bounds(ge=5, gt=4)], "has Bounds that no value is within."),
    (Annotated[Decimal, Bounds(ge=1000), Numeric(3, 1)], "has Bounds that no value is within."),
]


@pytest.mark.parametrize(("hint", "problem"), ODD_TYPES)
def test_a_type_with_contradictions_is_refused(declare: Any, hint: Any, problem: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare(("a", hint))
    assert problem in str(refused.value)
    assert "samplething" not in declared


REFERENCE: Any = Reference
ODD_MARKERS: list[tuple[Any, str]] = [
    (Search(1), "Search of the field a of samplething has weight=1, which must be of the type str."),  # type: ignore[arg-type]
    (Unique("yes"), "has fold='yes', which must be of the type bool."),  # type: ignore[arg-type]
    (Numeric("12", "2"), "has precision='12', which must be of the type int."),  # type: ignore[arg-type]
    (Numeric(12.5, 2), "has precision=12.5, which must be of the type int."),  # type: ignore[arg-type]
    (Bounds(ge="0"), "has ge='0', which must be of the type int | None."),  # type: ignore[arg-type]
    (FromMetadata(5), "has path=5, which must be of the type str."),  # type: ignore[arg-type]
    (Secret("x"), "has seal='x', which must be of the type Callable[[str], str]."),  # type: ignore[arg-type]
    (Secret(late), "which must be of the type Callable[[str], str]."),  # type: ignore[arg-type]
    (Secret(two), "which must be of the type Callable[[str], str]."),  # type: ignore[arg-type]
    (REFERENCE(5), "has type=5, which must be of the type str."),
    (REFERENCE("user", counted_in=5), "has counted_in=5, which must be of the type str | None."),
    (REFERENCE("user", closed_in=Mood.GOOD), "which must be of the type tuple[StrEnum, ...]."),
    (REFERENCE("user", closed_in=("good",)), "which must be of the type tuple[StrEnum, ...]."),
    (REFERENCE("user", refusal="x"), "has refusal='x', which must be of the type type[OvasabiError] | None."),
    (REFERENCE("user", refusal=ValueError), "which must be of the type type[OvasabiError] | None."),
]
FITTING: dict[type[Marker], Any] = {
    Numeric: Decimal, Bounds: Decimal, Reference: int, Secret: Annotated[str, Meta()] | UnsetType,
}  # fmt: skip


@pytest.mark.parametrize(("marker", "problem"), ODD_MARKERS, ids=lambda case: str(case).partition(" at 0x")[0][:40])
def test_the_arguments_of_a_marker_are_of_their_types(declare: Any, marker: Any, problem: str) -> None:
    base = FITTING.get(type(marker), str)
    hint = Annotated[str, marker] | UnsetType if isinstance(marker, Secret) else Annotated[base, marker] | None
    with pytest.raises(DeclarationError) as refused:
        declare(("a", hint, UNSET if isinstance(marker, Secret) else None))
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "path",
    ["", "nonsense.a", "tags..x", "tags.", "tags.it's", "tags.{x}", "tags.a,b", "tags.a b", "tags.null", "tags.0",
     'tags."a', "tags.a\\b", "tags.%s", "tags.a:b", "tags.é", "tags" + ".x" * 50],
)  # fmt: skip
def test_a_path_into_metadata_is_one_of_plain_names(declare: Any, path: str) -> None:
    with pytest.raises(DeclarationError, match="has FromMetadata with a path that is not possible"):
        declare(("a", Annotated[str, FromMetadata(path)] | None, None))
    assert declare(("a", Annotated[str, FromMetadata("service_specific.samplething.a_1")] | None, None))


ODD_DEFAULTS = [
    (int, 1 << 63, "is not valid: it must be at most"),
    (int, -(1 << 63) - 1, "is not valid: it must be at least"),
    (float, float("nan"), "it is not a finite number."),
    (float, float("inf"), "it is not a finite number."),
    (float, 0, "it is not of the type float."),
    (str, "a\0b", "it has characters that PostgreSQL cannot store."),
    (str, "\ud800", "it has characters that PostgreSQL cannot store."),
    (str, "at :noon", "a migration would take :noon for a parameter."),
    (Mood, "good", "it is not of the type Mood."),
    (Mood, Filter(), "has a default that is not possible in SQL."),
    (Spot, Spot(1), "has a default that is not possible in SQL."),
    (date, date(2026, 1, 1), "has a default that is not possible in SQL."),
    (str | None, "x", "can be null, so its default must be null."),
    (Annotated[int, Reference("user")], 5, "is a Reference, so its only default is null."),
    (Annotated[int, Reference("user"), Output()], 0, "is a Reference, so its only default is null."),
    (Annotated[str, Unique()], "x", "is Unique, so its only default is null."),
    (Annotated[str, Secret(str)] | UnsetType, "abc", "is a Secret: declare it as"),
    (Annotated[str, Secret(str)] | None, None, "is a Secret: declare it as"),
    (Annotated[str, Secret(str), Output()] | UnsetType, UNSET, "is neither an Output nor found by its value."),
    (Annotated[str, FromMetadata("tags.x")] | None, "x", "is derived from metadata: declare it as"),
    (Annotated[str, FromMetadata("tags.x")] | UnsetType, UNSET, "is derived from metadata: declare it as"),
    (Annotated[str, FromMetadata("tags.x"), Search()] | None, None, "its other markers can only be Filter and"),
    (Annotated[str, FromMetadata("tags.x"), Output()] | None, None, "its other markers can only be Filter and"),
]


@pytest.mark.parametrize(("hint", "default", "problem"), ODD_DEFAULTS)
def test_a_default_is_a_value_that_the_column_can_have(declare: Any, hint: Any, default: Any, problem: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare(("a", hint, default))
    assert problem in str(refused.value)


counted_up = itertools.count()


@pytest.mark.parametrize(
    ("hint", "factory", "problem"),
    [
        (str, lambda: 1 / 0, "has a default that cannot be made: ZeroDivisionError: division by zero."),
        (str, lambda x: x, "has a default that cannot be made: TypeError"),
        (int, str, "has the default '', which is not valid: it must be an integer"),
        (list[str], lambda: None, "has the default null, but not the type."),
        (str, lambda: str(uuid.uuid4()), "it is not always the same."),
        (int, lambda: next(counted_up), "it is not always the same."),
    ],
)
def test_a_default_from_a_function_is_always_the_same(declare: Any, hint: Any, factory: Any, problem: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare(("a", hint, msgspec.field(default_factory=factory)))
    assert problem in str(refused.value)


def test_an_annotation_without_a_meaning_is_refused(declare: Any) -> None:
    for hint, reason in (("Nowhere", "name 'Nowhere' is not defined"), ("not a type(", "")):
        with pytest.raises(DeclarationError, match="Samplething has an annotation that is not defined") as refused:
            declare(("a", hint))
        assert reason in str(refused.value)


def test_a_class_that_is_no_entity_is_refused() -> None:
    for cls in (Boxed, Spot, int, late):
        with pytest.raises(DeclarationError, match="does not stand above a class that is derived from Entity"):
            entity(plural="samplethings", title="name")(cls)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"plural": 5}, "has plural=5, which must be of the type str."),
        ({"plural": None}, "has plural=None, which must be of the type str."),
        ({"title": None}, "has title=None, which must be of the type str."),
        ({"name": 5}, "has name=5, which must be of the type str."),
        ({"name": ""}, "The type of Samplething is named '', which is not a valid name."),
        ({"table": 5}, "has table=5, which must be of the type str."),
        ({"stream": None}, "has stream=None, which must be of the type str."),
        ({"unique": "name"}, "which must be of the type tuple[tuple[str, ...], ...]."),
        ({"unique": None}, "which must be of the type tuple[tuple[str, ...], ...]."),
        ({"unique": ["name"]}, "which must be of the type tuple[tuple[str, ...], ...]."),
        ({"unique": [5]}, "which must be of the type tuple[tuple[str, ...], ...]."),
        ({"unique": [("a", "b"), ("b", "a")]}, "samplething has the natural key a+b twice."),
        ({"title": "places"}, "is not a single value."),
        ({"table": "main_pool"}, "The table of samplething is named 'main_pool', as partitions are."),
        ({"table": "main_202601"}, "as partitions are."),
        ({"table": "c12"}, "as partitions are."),
    ],
)
def test_the_arguments_of_the_decorator_are_of_their_types(declare: Any, words: Any, problem: str) -> None:
    kept = [(name, Annotated[str, Immutable()], "") for name in ("a", "b")]
    with pytest.raises(DeclarationError) as refused:
        declare(*kept, ("places", list[str], msgspec.field(default_factory=list)), **words)
    assert problem in str(refused.value)


def test_an_entity_has_as_many_fields_as_a_row_can_have(declare: Any) -> None:
    with pytest.raises(DeclarationError, match=r"samplething has 501 fields: at most 500 are possible\."):
        declare(*((f"field{number}", str, "") for number in range(500)))


@pytest.mark.parametrize(
    ("counter", "mark", "problem"),
    [
        (Annotated[int, Meta(le=3), Output()], {}, "which could not hold every number."),
        (Annotated[int, Meta(multiple_of=2), Output()], {}, "which could not hold every number."),
        (Annotated[int, Immutable(), Output()], {}, "which could not hold every number."),
        (Annotated[int, Output()], {"refusal": Refused}, "has refusal, which requires counted_in and closed_in."),
        (Annotated[int, Output()], {"closed_in": (Mood.BAD,), "refusal": Refused}, "has a refusal with placeholders"),
    ],
)
def test_a_count_can_be_every_number(declare: Any, counter: Any, mark: Any, problem: str) -> None:
    parent = Annotated[int, Reference("samplething", counted_in="count", **mark), Immutable()] | None
    with pytest.raises(DeclarationError) as refused:
        declare(("count", counter, 0), ("mood", Mood, Mood.GOOD), ("parent_id", parent, None))
    assert problem in str(refused.value)


def test_what_is_supported_is_declared(declare: Any) -> None:
    short = Annotated[str, Meta(max_length=5)]
    of = declare(
        ("code", Annotated[short, Meta(description="A code.", min_length=2)]),
        ("alias", Annotated[short | None, Meta(description="Another.")], None),
        ("below", Annotated[int, Meta(lt=10)], 1),
        ("ratio", Annotated[float, Meta(ge=0.5)], 0.7),
        ("spots", list[Spot], msgspec.field(default_factory=list)),
        ("extras", list[dict[str, Any]], msgspec.field(default_factory=list)),
        ("days", list[date], msgspec.field(default_factory=list)),
        ("tagged", Annotated[list[Mood], Personal()], msgspec.field(default_factory=list)),
        ("at", datetime | None, None),
    )
    fields = of.by_name
    assert (fields["code"].sql_type, fields["code"].description) == ("varchar(5)", "A code.")
    assert (fields["alias"].sql_type, fields["alias"].nullable) == ("varchar(5)", True)
    columns = metadata_of({of.name: of}).tables[of.table_name].c
    assert [str(columns[name].server_default.arg) for name in ("spots", "extras", "days")] == ["'[]'", "'[]'", "'{}'"]
    checks = {str(check.sqltext) for check in columns["below"].table.constraints if hasattr(check, "sqltext")}
    assert "below < 10" in checks


def test_plain_enums_are_refused_wherever_they_are(declare: Any) -> None:
    plain = Enum("Plain", ["A"])
    for hint in (plain, list[plain], dict[str, plain], plain | None):
        with pytest.raises(DeclarationError, match="has the type Plain, which must be a StrEnum with values"):
            declare(("a", hint))
