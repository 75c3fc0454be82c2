"""Values of any declared type, made from the type alone: what the tests send where a service is not known to them."""

import random
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import msgspec.inspect as mi

PASSWORD = "Correct-horse-7"
_SAME = 20_260_228
"""The seed of values that need not differ."""
_MOST_REPEATS = 12


def request_of(kind: Any, **known: Any) -> Any:
    """A request with the fields that must be given; `known` are values that only the caller can know."""
    return msgspec.convert(msgspec.to_builtins(least_of(kind) | known), kind)


def least_of(kind: Any) -> dict[str, Any]:
    """Values of the fields of a struct that must be given."""
    described = mi.type_info(kind)
    assert isinstance(described, mi.StructType)
    return {
        field.encode_name: value_of(field.type, password="password" in field.name)
        for field in described.fields
        if field.required
    }


def value_of(
    described: Any, *, unique: bool = False, password: bool = False, later: int = 1, inside: tuple[type, ...] = ()
) -> Any:
    """A value of a type, within its limits. `unique`: one that hardly comes twice; `later`: days until a moment.

    `inside` are the structs that the value is in: where it may, a struct holds no further ones of their kinds.
    """
    chance = random.Random() if unique else random.Random(_SAME)
    match described:
        case mi.Metadata(type=inner, extra_json_schema=extra) if unique or not (extra or {}).get("examples"):
            return value_of(inner, unique=unique, password=password, later=later, inside=inside)
        case mi.Metadata(extra_json_schema=extra):
            return extra["examples"][0]  # type: ignore[index]
        case mi.UnionType(types=arms):
            inner = next(arm for arm in arms if not isinstance(arm, mi.NoneType))
            if len(arms) > 1 and is_within(inner, inside):
                return None
            return value_of(inner, unique=unique, password=password, later=later, inside=inside)
        case mi.StrType():
            return _text(described, chance, unique, password)
        case mi.IntType():
            return _whole(described, chance if unique else None)
        case mi.FloatType():
            return _float(described, chance if unique else None)
        case mi.EnumType(cls=cls):
            return chance.choice(list(cls)) if unique else list(cls)[-1]
        case mi.LiteralType(values=known):
            return known[-1]
        case mi.ListType(item_type=item, min_length=least):
            count = 0 if not least and is_within(item, inside) else max(1, least or 0)
            return [value_of(item, inside=inside) for _ in range(count)]
        case mi.DictType(key_type=key, value_type=value):
            name = value_of(key) if not isinstance(key, mi.StrType) else "colour"
            return {} if is_within(value, inside) else {name: value_of(value, inside=inside)}
        case mi.StructType(cls=cls):
            return cls(**{field.name: value_of(field.type, inside=(*inside, cls)) for field in described.fields})
        case mi.DateTimeType():
            # A moment of its own for each field, so that what begins does so before it ends.
            return datetime.now(UTC) + timedelta(days=later)
        case mi.BoolType():
            return chance.random() < 0.5 if unique else True
        case mi.DateType():
            return date(2026, 2, 28) + timedelta(days=chance.randrange(100_000) if unique else 0)
        case mi.DecimalType() if unique:
            return Decimal(chance.randrange(10**12)).scaleb(-4)
    return _LEAVES[type(described)]()


def is_within(described: Any, inside: tuple[type, ...]) -> bool:
    """Whether a type is one of the structs, or of what is null or has metadata besides."""
    match described:
        case mi.Metadata(type=inner):
            return is_within(inner, inside)
        case mi.UnionType(types=arms):
            return any(is_within(arm, inside) for arm in arms)
    return isinstance(described, mi.StructType) and described.cls in inside


_LEAVES: dict[type, Callable[[], Any]] = {
    mi.AnyType: lambda: "anything",
    mi.BytesType: lambda: b"bytes",
    mi.DecimalType: lambda: Decimal("7.5"),
    mi.UUIDType: uuid.uuid4,
}


def _text(described: mi.StrType, chance: random.Random, unique: bool, password: bool) -> str:
    """The first of some usual forms of text that the type takes; else one made from its pattern or its length."""
    for form in _forms(described, chance, unique, password):
        if _fits(described, form):
            return form
    raise AssertionError(f"no text was found for {described}: give its Meta an example")


def _forms(described: mi.StrType, chance: random.Random, unique: bool, password: bool) -> Iterator[str]:
    word = uuid.uuid4().hex
    yield from [PASSWORD] if password else []
    yield from (f"w{word[:12]} plain words", f"w{word[:12]}", f"{word[:12]}@example.org", word)
    yield from () if unique else ("EUR", "1", "en")
    if described.pattern is not None:
        yield from (_matching(described.pattern, chance) for _ in range(50))
    yield word[: described.max_length or 32].ljust(described.min_length or 0, "x")


def _fits(described: mi.StrType, text: str) -> bool:
    if not (described.min_length or 0) <= len(text) <= (described.max_length or len(text)):
        return False
    return described.pattern is None or re.search(described.pattern, text) is not None


def _matching(pattern: str, chance: random.Random) -> str:
    """A text that a pattern may match, or not quite: what it asserts of the rest of the text is not looked at."""
    return _parts(re._parser.parse(pattern), chance)  # type: ignore[attr-defined]


def _parts(parsed: Any, chance: random.Random) -> str:
    return "".join(_part(str(kind), value, chance) for kind, value in parsed)


def _part(kind: str, value: Any, chance: random.Random) -> str:
    match kind:
        case "LITERAL":
            return chr(value)
        case "IN":
            return _one_of(value, chance)
        case "ANY" | "NOT_LITERAL":
            return chance.choice("abcxyz")
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, inner = value
            times = chance.randint(least, max(least, min(most, _MOST_REPEATS)))
            return "".join(_parts(inner, chance) for _ in range(times))
        case "SUBPATTERN":
            return _parts(value[-1], chance)
        case "BRANCH":
            return _parts(chance.choice(value[1]), chance)
    return ""  # where a text begins or ends, and what is around it


def _one_of(choices: Any, chance: random.Random) -> str:
    """A character of a class; of one that says what is not meant, a letter or digit that it leaves."""
    return chance.choice(_members(tuple((str(kind), value) for kind, value in choices)))


@cache
def _members(of: tuple[tuple[str, Any], ...]) -> list[str]:
    return [character for character in map(chr, range(32, 127)) if _is_in(character, of)]


def _is_in(character: str, of: tuple[tuple[str, Any], ...]) -> bool:
    code, inside = ord(character), False
    for kind, value in of:
        if kind == "LITERAL":
            inside |= code == value
        elif kind == "RANGE":
            inside |= value[0] <= code <= value[1]
        elif kind == "CATEGORY":
            inside |= re.fullmatch(_CATEGORIES[str(value)], character) is not None
    return inside != (of[0][0] == "NEGATE")


_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
}


def _whole(described: mi.IntType, chance: random.Random | None) -> int:
    low = next((n for n in (described.ge, None if described.gt is None else described.gt + 1) if n is not None), None)
    high = next((n for n in (described.le, None if described.lt is None else described.lt - 1) if n is not None), None)
    step = described.multiple_of or 1
    least = low if low is not None else (0 if high is None or high >= 0 else high - 1000)
    most = high if high is not None else max(least, 0) + 1_000_000_000_000
    wanted = chance.randint(least, most) if chance is not None else min(least + 7, most)
    value = wanted - wanted % step
    return value if value >= least else value + step


def _float(described: mi.FloatType, chance: random.Random | None) -> float:
    low = described.ge if described.ge is not None else described.gt
    high = described.le if described.le is not None else described.lt
    if low is None and high is None:
        low, high = 0.0, 1.0
    least = low if low is not None else high - 1.0  # type: ignore[operator]
    most = high if high is not None else least + 1.0
    return (least + most) / 2 if chance is None else least + (most - least) * chance.uniform(0.001, 0.999)
