"""Whatever is wrong with a value is said in plain English, for every type and every limit that a field can have."""

import itertools
import re
import uuid
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import pytest
from msgspec import Meta

from ovasabi.kernel.call.input_errors import explained


class Colour(StrEnum):
    """Some values."""

    RED = "red"


class Size(IntEnum):
    """Some numbers."""

    SMALL = 1


class Plain(Enum):
    """Some others."""

    A = "a"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    """An object."""

    name: str
    count: int = 0


class Pair(NamedTuple):
    """A list of two."""

    a: int
    b: int = 0


class Tagged(msgspec.Struct, tag="this"):
    """An object with a tag."""


class Other(msgspec.Struct, tag="that"):
    """Another one."""


LIMITS = [("min", 2), ("max", 1), ("min", 1)]
TYPES = [
    *(str, int, float, bool, None, Decimal, datetime, date, time, timedelta, uuid.UUID, bytes, Colour, Size, Plain),
    *(Inner, Pair, list[int], dict[str, int], dict[int, int], tuple[int, int], tuple[int, ...], set[int]),
    *(Literal["a", "b"], Literal[1, 2], Tagged | Other, str | None, int | str, int | float, list[Inner]),
    *(dict[str, Colour], Colour | None, Annotated[float, Meta(gt=0.5)], Annotated[int, Meta(ge=0, le=100)]),
    *(Annotated[kind, Meta(tz=tz)] for kind in (datetime, time) for tz in (True, False)),
    *(Annotated[kind, Meta(**{name: 2})] for kind in (int, float) for name in ("gt", "ge", "lt", "le", "multiple_of")),
    *(
        Annotated[kind, Meta(**{f"{name}_length": count})]
        for kind in (str, bytes, list[int], dict[str, int])
        for name, count in LIMITS
    ),
    Annotated[str, Meta(pattern="^[a-z]$")],
]
"""All types that msgspec has, and all limits, even those that declarations do not allow."""
VALUES = [
    *(None, True, 0, 1, 7, 1.5, -1.5, 1e400, 2**64, -(2**70), "", "x", "xyzzy", "AAAA", "1.5", "1e9999", "2026-11-21"),
    *("2026-11-21T08:00:00", "2026-11-21T08:00:00Z", "9999-99-99T00:00:00Z", "P1Q", "P99999999999D"),
    *([], ["x"], [1], [1, 2, 3], [None], {}, {"a": "x"}, {"a": 1, "b": 2}, {"name": 1}, {"name": "x", "other": 1}),
    *({"name": "x", "count": "x"}, {"type": "other"}, {"type": 5}, {"1.5": 1}, [{"name": 3}]),
]
LEFT = re.compile(r"`|Expected|Invalid|RFC|ISO|regex|epoch|component|\$|is not valid$|^[A-Z]")
"""What is left of msgspec's own words, and what says nothing."""


def wrong() -> Iterator[tuple[Any, str, Exception]]:
    """Every value that a type refuses, as JSON and as text that is to be converted, and the error."""
    for kind, value in itertools.product(TYPES, VALUES):
        text = msgspec.json.encode(value) if value != 1e400 else b"1e400"
        for read in (
            lambda kind=kind, text=text: msgspec.json.decode(text, type=kind),
            lambda kind=kind, value=value: msgspec.convert(value, kind, strict=False),
        ):
            try:
                read()
            except msgspec.ValidationError as error:
                yield kind, repr(value), error


def test_nothing_of_the_library_s_own_words_is_left() -> None:
    found = list(wrong())
    assert len(found) > 2000
    said = {explained(error).problem: (kind, value, str(error)) for kind, value, error in found}
    assert {problem: why for problem, why in said.items() if LEFT.search(problem.partition(" pattern ")[0])} == {}


@pytest.mark.parametrize(
    ("kind", "text", "path", "problem"),
    [
        (str, "3", "", "must be a string, not an integer"),
        (str | None, "3", "", "must be a string or null, not an integer"),
        (int, "1.5", "", "must be an integer, not a number with a fraction or exponent"),
        (bool, '"x"', "", "must be true or false, not a string"),
        (list[str], '["a", 1]', "[1]", "must be a string, not an integer"),
        (dict[str, int], '{"a": "x"}', "[...]", "must be an integer, not a string"),
        (Annotated[str, Meta(min_length=1)], '""', "", "must have at least 1 character"),
        (Annotated[str, Meta(max_length=3)], '"abcd"', "", "must have at most 3 characters"),
        (Annotated[list[int], Meta(max_length=1)], "[1, 2]", "", "must have at most 1 item"),
        (Annotated[dict[str, int], Meta(min_length=2)], "{}", "", "must have at least 2 entries"),
        (Annotated[int, Meta(ge=1)], "0", "", "must be at least 1"),
        (Annotated[float, Meta(gt=0)], "0", "", "must be greater than 0"),
        (Annotated[int, Meta(multiple_of=5)], "3", "", "must be a multiple of 5"),
        (Annotated[str, Meta(pattern="^a$")], '"b"', "", "must match the pattern ^a$"),
        (Annotated[str, Meta(pattern=r"^\d$(?!\n)")], '"b"', "", r"must match the pattern ^\d$"),
        (Colour, '"blue"', "", "has the value 'blue', which is not allowed"),
        (datetime, '"soon"', "", "must be a timestamp in the form 2026-11-21T08:00:00Z"),
        (Annotated[datetime, Meta(tz=True)], '"2026-11-21T08:00:00"', "", "must have a time zone"),
        (uuid.UUID, '"x"', "", "must be a UUID"),
        (dict, "{", "", "is not valid JSON: it ends too early"),
        (dict, "{]", "", "is not valid JSON: object keys must be strings (byte 1)"),
    ],
)
def test_a_value_is_told_what_it_must_be(kind: Any, text: str, path: str, problem: str) -> None:
    with pytest.raises(msgspec.MsgspecError) as refused:
        msgspec.json.decode(text.encode(), type=kind)
    found = explained(refused.value)
    assert (found.path, found.problem) == (path, problem)
    assert found.sentence("the body") == f"{path or 'The body'} {problem}."


def test_text_is_not_told_that_it_is_a_string() -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert({"count": "x", "name": ""}, Inner, strict=False)
    assert explained(refused.value).problem == "must be an integer, not a string"
    assert explained(refused.value, of_text=True).problem == "must be an integer"


def test_the_name_of_a_field_that_is_missing_or_unknown_is_apart() -> None:
    for text, path, missing, unknown in (("[{}]", "[0]", "name", None), ('[{"name": "", "x": 1}]', "[0]", None, "x")):
        with pytest.raises(msgspec.ValidationError) as refused:
            msgspec.json.decode(text, type=list[Inner])
        found = explained(refused.value)
        assert (found.path, found.missing, found.unknown) == (path, missing, unknown)
