"""Single values between Python and protobuf: moments, and objects of any JSON."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = 2**53
"""Up to here a double holds every whole number."""


class Unsayable(ValueError):
    """A value that protobuf carries and the platform does not take; `path` is where, from the inside out."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []

    def at(self, name: str) -> "Unsayable":
        """The same, of what is inside the field of that name."""
        self.path.insert(0, name)
        return self


def timestamp_of(moment: datetime) -> dict[str, int]:
    """The fields of a Timestamp, to the microsecond."""
    since = moment - _EPOCH
    return {"seconds": since.days * 86_400 + since.seconds, "nanos": since.microseconds * 1_000}


def moment_of(timestamp: Any) -> datetime:
    """The moment of a Timestamp, in UTC."""
    try:
        if 0 <= timestamp.nanos < 1_000_000_000:
            return _EPOCH + timedelta(0, timestamp.seconds, timestamp.nanos // 1_000)
    except OverflowError:
        pass
    raise Unsayable("It is no moment of the years 1 to 9999")


def object_writer(struct: type) -> Callable[[Mapping[str, Any]], Any]:
    """Makes Structs of mappings; `struct` is the class of the pool."""

    def write(values: Mapping[str, Any]) -> Any:
        made = struct()
        made.SetInParent()
        _fill(made, values)
        return made

    return write


def read_object(struct: Any) -> dict[str, Any]:
    """The mapping that a Struct holds; whole numbers as int, as far as a double holds all of them."""
    return {key: _READ[value.WhichOneof("kind")](value) for key, value in struct.fields.items()}


def _fill(struct: Any, values: Mapping[str, Any]) -> None:
    fields = struct.fields
    for key, value in values.items():
        _set(fields[key], value)


def _set(place: Any, value: Any) -> None:
    setter = _SET.get(type(value))
    if setter is None:  # what JSON has no type for, as JSON says it
        value = msgspec.to_builtins(value)
        setter = _SET[type(value)]
    setter(place, value)


def _set_null(place: Any, value: None) -> None:
    place.null_value = 0


def _set_bool(place: Any, value: bool) -> None:
    place.bool_value = value


def _set_number(place: Any, value: float) -> None:
    place.number_value = value


def _set_whole(place: Any, value: int) -> None:
    try:
        place.number_value = value
    except OverflowError:  # more than any double, which JSON can say
        place.string_value = str(value)


def _set_text(place: Any, value: str) -> None:
    place.string_value = value


def _set_list(place: Any, values: list[Any]) -> None:
    inside = place.list_value
    inside.SetInParent()
    for value in values:
        _set(inside.values.add(), value)


def _set_object(place: Any, values: Mapping[str, Any]) -> None:
    place.struct_value.SetInParent()
    _fill(place.struct_value, values)


_SET: dict[type, Callable[[Any, Any], None]] = {
    type(None): _set_null,
    bool: _set_bool,
    int: _set_whole,
    float: _set_number,
    str: _set_text,
    list: _set_list,
    tuple: _set_list,
    dict: _set_object,
}


def _number(value: Any) -> int | float:
    number: float = value.number_value
    if not math.isfinite(number):
        raise Unsayable("It holds a number that is not finite")
    return int(number) if -_EXACT <= number <= _EXACT and number.is_integer() else number


_READ: dict[str | None, Callable[[Any], Any]] = {
    None: lambda value: None,
    "null_value": lambda value: None,
    "bool_value": lambda value: value.bool_value,
    "number_value": _number,
    "string_value": lambda value: value.string_value,
    "list_value": lambda value: [_READ[item.WhichOneof("kind")](item) for item in value.list_value.values],
    "struct_value": lambda value: read_object(value.struct_value),
}
