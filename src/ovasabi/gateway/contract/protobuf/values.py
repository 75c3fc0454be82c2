"""Converts single values between Python and protobuf: timestamps, and arbitrary JSON objects."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ovasabi.decimals import to_builtins
from ovasabi.kernel.declare.metadata import MAX_BYTES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_OBJECT_BYTES = 6 * MAX_BYTES
"""How long a Struct of a caller may be: a value of JSON takes at most 5.5 times its length."""
_EXACT = 2**53
"""Up to this value, a double represents every integer exactly."""


class NotRepresentable(ValueError):
    """A value that protobuf can represent and the platform does not accept, or the reverse; `path` is its field."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []

    def at(self, name: str) -> "NotRepresentable":
        """Returns the error with the name of an enclosing field added to its path."""
        self.path.insert(0, name)
        return self


def timestamp_of(moment: datetime) -> dict[str, int]:
    """Returns the fields of a Timestamp, to the microsecond."""
    since = moment - _EPOCH
    return {"seconds": since.days * 86_400 + since.seconds, "nanos": since.microseconds * 1_000}


def moment_of(timestamp: Any) -> datetime:
    """Returns the time of a Timestamp, in UTC."""
    try:
        if 0 <= timestamp.nanos < 1_000_000_000:
            return _EPOCH + timedelta(0, timestamp.seconds, timestamp.nanos // 1_000)
    except OverflowError:
        pass
    raise NotRepresentable("The time must be in the years 1 to 9999")


def object_writer(struct: type) -> Callable[[Mapping[str, Any]], Any]:
    """Returns a function that converts mappings to Structs; `struct` is the class of the pool."""

    def write(values: Mapping[str, Any]) -> Any:
        made = struct()
        made.SetInParent()
        _fill(made, values)
        return made

    return write


def read_object(struct: Any) -> dict[str, Any]:
    """Returns the mapping in a Struct; integers are int as far as a double represents them exactly."""
    return {key: _READ[value.WhichOneof("kind")](value) for key, value in struct.fields.items()}


def read_object_of_caller(struct: Any) -> dict[str, Any]:
    """Returns the mapping in a Struct that a caller sent: its size is bounded before its values are converted."""
    if struct.ByteSize() > MAX_OBJECT_BYTES:
        raise NotRepresentable(f"It is longer than {MAX_OBJECT_BYTES} bytes")
    return read_object(struct)


def _fill(struct: Any, values: Mapping[str, Any]) -> None:
    fields = struct.fields
    for key, value in values.items():
        _set(fields[key], value)


def _set(target: Any, value: Any) -> None:
    setter = _SET.get(type(value))
    if setter is None:  # types that JSON does not have, as they are encoded in JSON
        value = to_builtins(value)
        setter = _SET[type(value)]
    setter(target, value)


def _set_null(target: Any, value: None) -> None:
    target.null_value = 0


def _set_bool(target: Any, value: bool) -> None:
    target.bool_value = value


def _set_number(target: Any, value: float) -> None:
    target.number_value = value


def _set_whole(target: Any, value: int) -> None:
    try:
        target.number_value = value
    except OverflowError:  # JSON allows integers beyond the range of a double
        target.string_value = str(value)


def _set_text(target: Any, value: str) -> None:
    target.string_value = value


def _set_list(target: Any, values: list[Any]) -> None:
    inside = target.list_value
    inside.SetInParent()
    for value in values:
        _set(inside.values.add(), value)


def _set_object(target: Any, values: Mapping[str, Any]) -> None:
    target.struct_value.SetInParent()
    _fill(target.struct_value, values)


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
        raise NotRepresentable("It contains a number that is not finite")
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
