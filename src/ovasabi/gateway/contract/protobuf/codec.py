"""Converts structs to messages and back, with functions that are composed once for each type.

`writer`: from a value to the arguments of its message. `loader`: from a message back to the original value. `reader`:
from a message of a caller to plain values, which are then validated like those of JSON.
"""

import math
import typing
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from msgspec import NODEFAULT, UNSET

from ovasabi.gateway.contract.protobuf.naming import value_name
from ovasabi.gateway.contract.protobuf.type_mapping import Form, Part, TypeMapping, parts_of
from ovasabi.gateway.contract.protobuf.values import (
    NotRepresentable,
    moment_of,
    object_writer,
    read_object,
    read_object_of_caller,
    timestamp_of,
)
from ovasabi.kernel.call.json_values import MAX_VALUES, TOO_MANY

Convert = Callable[[Any], Any]


class Choices:
    """The members of an enum and their numbers in the contract."""

    def __init__(self, cls: Any, numbers: dict[str, int]) -> None:
        by_member = {member: numbers[value_name(cls.__name__, str(member.value))] for member in cls}
        members = {number: member for member, number in by_member.items()}
        self.write = by_member.__getitem__
        self._members = members
        self._values = {number: member.value for number, member in members.items()}
        self._names = {number: name for name, number in numbers.items()}

    def read(self, number: int) -> Any:
        """Returns the value of a member; for an unknown number, its name or digits, which validation then rejects."""
        if (value := self._values.get(number)) is not None:
            return value
        return self._names.get(number, str(number))

    def load(self, number: int) -> Any:
        """Returns the member with a number."""
        try:
            return self._members[number]
        except KeyError:
            raise NotRepresentable(f"The response contains an unknown enum value: {number}") from None


class Codec:
    """Creates and caches the conversions of each type. `struct` is the class of the pool's Struct."""

    def __init__(self, struct: type, enums: Callable[[Any], dict[str, int]]) -> None:
        self._enums = enums
        self._write_object = object_writer(struct)
        self._choices: dict[Any, Choices] = {}
        self._cache: dict[tuple[str, Any], Convert] = {}

    def writer(self, kind: Any) -> Convert:
        """Returns the conversion of a struct to the arguments of its message, without null and unset values."""
        return self._once("write", kind, lambda: _writing(parts_of(kind), self.write_of))

    def loader(self, kind: Any) -> Convert:
        """Returns the conversion of a message to the original struct."""
        return self._once("load", kind, lambda: _loading(kind, self.load_of))

    def reader(self, kind: Any, *, whole: bool = True) -> Convert:
        """Returns the conversion of a message to plain values by name; unless `whole`, omits empty lists as well."""
        return self._once(f"read {whole}", kind, lambda: self.reading(parts_of(kind), whole=whole))

    def reading(self, parts: Iterable[Part], *, whole: bool = True) -> Convert:
        """Returns the conversion of a message to plain values of some of its fields."""
        return _reading(tuple(parts), self.read_of, whole)

    def write_of(self, shape: TypeMapping) -> Convert | None:
        """Returns the conversion that writes a value; None if it is written unchanged."""
        match shape.form:
            case Form.MOMENT:
                return timestamp_of
            case Form.OBJECT:
                return self._write_object
            case Form.CHOICE:
                return self._choice(shape.cls).write
            case Form.RECORD:
                return self.writer(shape.cls)
            case Form.LIST:
                return _each(self.write_of(_inner(shape)))
            case Form.MAP:
                return _each_value(self.write_of(_inner(shape)))
        return shape.write

    def load_of(self, shape: TypeMapping) -> Convert | None:
        """Returns the conversion that restores a value; None if it is used unchanged."""
        return self._back(shape, self.load_of, shape.read, lambda cls: self._choice(cls).load, self.loader)

    def read_of(self, shape: TypeMapping) -> Convert | None:
        """Returns the conversion that reads a value for validation; None if it is used unchanged."""
        if shape.form is Form.OBJECT:
            return read_object_of_caller
        finite = _finite if shape.word == "double" else None
        convert = self._back(shape, self.read_of, finite, lambda cls: self._choice(cls).read, self.reader)
        return _few(convert) if convert is not None and shape.form in _EMPTY else convert

    def _back(
        self,
        shape: TypeMapping,
        again: Callable[[TypeMapping], Convert | None],
        scalar: Convert | None,
        choice: Callable[[Any], Convert],
        record: Callable[[Any], Convert],
    ) -> Convert | None:
        match shape.form:
            case Form.MOMENT:
                return moment_of
            case Form.OBJECT:
                return read_object
            case Form.CHOICE:
                return choice(shape.cls)
            case Form.RECORD:
                return record(shape.cls)
            case Form.LIST:
                return _each(again(_inner(shape))) or list
            case Form.MAP:
                return _each_value(again(_inner(shape))) or dict
        return scalar

    def _choice(self, cls: Any) -> Choices:
        if cls not in self._choices:
            self._choices[cls] = Choices(cls, self._enums(cls))
        return self._choices[cls]

    def _once(self, what: str, kind: Any, make: Callable[[], Convert]) -> Convert:
        """Returns a cached conversion, created on first use; a recursive type looks itself up when it is called."""
        if (what, kind) not in self._cache:
            self._cache[what, kind] = lambda value: self._cache[what, kind](value)
            self._cache[what, kind] = make()
        return self._cache[what, kind]


def _writing(parts: tuple[Part, ...], of: Callable[[TypeMapping], Convert | None]) -> Convert:
    conversions = [(part, of(part.shape)) for part in parts]
    plain = [part.name for part, convert in conversions if convert is None and not part.unsettable]
    others = [(p.name, attrgetter(p.name), convert) for p, convert in conversions if p.name not in plain]
    take = _taking(plain)

    def write(value: Any) -> dict[str, Any]:
        arguments = dict(zip(plain, take(value), strict=True))  # protobuf omits arguments that are None
        for name, get, convert in others:
            item = get(value)
            if item is not None and item is not UNSET:
                arguments[name] = item if convert is None else convert(item)
        return arguments

    return write


def _loading(kind: Any, of: Callable[[TypeMapping], Convert | None]) -> Convert:
    conversions = [(part, of(part.shape)) for part in parts_of(kind)]
    plain = [part.name for part, convert in conversions if convert is None and not _may_be_absent(part)]
    others = [(p, convert) for p, convert in conversions if p.name not in plain]
    always = [(p.name, attrgetter(p.name), convert or _same) for p, convert in others if not _may_be_absent(p)]
    maybe = [(p.name, attrgetter(p.name), convert or _same, _absent(p)) for p, convert in others if _may_be_absent(p)]
    take = _taking(plain)
    cls = typing.get_origin(kind) or kind

    def load(message: Any) -> Any:
        values = dict(zip(plain, take(message), strict=True))
        for name, get, convert in always:
            values[name] = convert(get(message))
        for name, get, convert, absent in maybe:
            if message.HasField(name):
                values[name] = convert(get(message))
            elif absent is NODEFAULT:
                raise NotRepresentable(f"The response lacks the field {name}")
            else:
                values[name] = absent
        return cls(**values)

    return load


def _reading(parts: tuple[Part, ...], of: Callable[[TypeMapping], Convert | None], whole: bool) -> Convert:
    """Reads fields by name: a message lists those that are set, so unset ones cost nothing."""
    conversions = {part.name: of(part.shape) for part in parts}
    required = [part for part in parts if whole and part.default is NODEFAULT]
    empty = {part.name: _EMPTY[part.shape.form] for part in required if part.shape.gathers}
    null = [part.name for part in required if part.shape.nullable]

    def read(message: Any) -> dict[str, Any]:
        values: dict[str, Any] = {name: make() for name, make in empty.items()}
        values.update(dict.fromkeys(null))
        for field, item in message.ListFields():
            name = field.name
            if name in conversions:
                convert = conversions[name]
                try:
                    values[name] = item if convert is None else convert(item)
                except NotRepresentable as error:
                    raise error.at(name) from None
        return values

    return read


_EMPTY: dict[Form, Callable[[], Any]] = {Form.LIST: list, Form.MAP: dict}


def _may_be_absent(part: Part) -> bool:
    """Returns whether the field's presence must be checked: it may be null, or has no zero value to stand for it."""
    absent = part.shape.nullable or part.unsettable
    return not part.shape.gathers and (absent or part.shape.form in (Form.MOMENT, Form.RECORD))


def _absent(part: Part) -> Any:
    """Returns the value of an absent field; NODEFAULT if the field is required."""
    if part.unsettable:
        return UNSET
    return None if part.shape.nullable else NODEFAULT


def _same(value: Any) -> Any:
    return value


def _taking(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Returns a getter of several attributes at once."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _each(convert: Convert | None) -> Convert | None:
    return None if convert is None else lambda values: [convert(value) for value in values]


def _each_value(convert: Convert | None) -> Convert | None:
    return None if convert is None else lambda values: {key: convert(value) for key, value in values.items()}


def _few(convert: Convert) -> Convert:
    """Refuses a list or a map of too many values before they are converted."""

    def read(values: Any) -> Any:
        if len(values) > MAX_VALUES:
            raise NotRepresentable(f"It {TOO_MANY}")
        return convert(values)

    return read


def _finite(number: float) -> float | str:
    """Returns a number; NaN and infinity, which JSON does not have, as text that validation rejects."""
    return number if math.isfinite(number) else str(number)


def _inner(shape: TypeMapping) -> TypeMapping:
    return typing.cast("TypeMapping", shape.inner)
