"""Structs to messages and back, by functions that are put together once for each type.

`writer`: from a value to the arguments of its message. `loader`: from a message to the value, as it was. `reader`: from
a message that a caller sent to plain values, which are then checked as those of JSON are.
"""

import math
import typing
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from msgspec import NODEFAULT, UNSET

from ovasabi.gateway.contract.protobuf.naming import value_name
from ovasabi.gateway.contract.protobuf.type_mapping import Form, Part, TypeMapping, parts_of
from ovasabi.gateway.contract.protobuf.values import Unsayable, moment_of, object_writer, read_object, timestamp_of

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
        """The value of a member; of a number that is none, something that is no value, to be refused by its name."""
        if (value := self._values.get(number)) is not None:
            return value
        return self._names.get(number, str(number))

    def load(self, number: int) -> Any:
        """The member of a number."""
        try:
            return self._members[number]
        except KeyError:
            raise Unsayable(f"The answer holds a value that is not known here: {number}") from None


class Codec:
    """Makes and keeps the conversions of each type. `struct` is the class of the pool's Struct."""

    def __init__(self, struct: type, enums: Callable[[Any], dict[str, int]]) -> None:
        self._enums = enums
        self._write_object = object_writer(struct)
        self._choices: dict[Any, Choices] = {}
        self._made: dict[tuple[str, Any], Convert] = {}

    def writer(self, kind: Any) -> Convert:
        """From a struct to the arguments of its message; what is null or unset is left out."""
        return self._once("write", kind, lambda: _writing(parts_of(kind), self.write_of))

    def loader(self, kind: Any) -> Convert:
        """From a message to the struct, every value as it was."""
        return self._once("load", kind, lambda: _loading(kind, self.load_of))

    def reader(self, kind: Any, *, whole: bool = True) -> Convert:
        """From a message to plain values by name; if not `whole`, empty lists are left out as anything else is."""
        return self._once(f"read {whole}", kind, lambda: self.reading(parts_of(kind), whole=whole))

    def reading(self, parts: Iterable[Part], *, whole: bool = True) -> Convert:
        """From a message to plain values of some of its fields."""
        return _reading(tuple(parts), self.read_of, whole)

    def write_of(self, shape: TypeMapping) -> Convert | None:
        """How a value is written; None if it is as it is."""
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
        """How a value is read as it was; None if it is as it is."""
        return self._back(shape, self.load_of, shape.read, lambda cls: self._choice(cls).load, self.loader)

    def read_of(self, shape: TypeMapping) -> Convert | None:
        """How a value is read to be checked; None if it is as it is."""
        finite = _finite if shape.word == "double" else None
        return self._back(shape, self.read_of, finite, lambda cls: self._choice(cls).read, self.reader)

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
        """A conversion, made when it is first asked for; within itself it is looked up when it is called."""
        if (what, kind) not in self._made:
            self._made[what, kind] = lambda value: self._made[what, kind](value)
            self._made[what, kind] = make()
        return self._made[what, kind]


def _writing(parts: tuple[Part, ...], of: Callable[[TypeMapping], Convert | None]) -> Convert:
    conversions = [(part, of(part.shape)) for part in parts]
    plain = [part.name for part, convert in conversions if convert is None and not part.unsettable]
    others = [(p.name, attrgetter(p.name), convert) for p, convert in conversions if p.name not in plain]
    take = _taking(plain)

    def write(value: Any) -> dict[str, Any]:
        given = dict(zip(plain, take(value), strict=True))  # protobuf leaves out what is None
        for name, get, convert in others:
            item = get(value)
            if item is not None and item is not UNSET:
                given[name] = item if convert is None else convert(item)
        return given

    return write


def _loading(kind: Any, of: Callable[[TypeMapping], Convert | None]) -> Convert:
    conversions = [(part, of(part.shape)) for part in parts_of(kind)]
    plain = [part.name for part, convert in conversions if convert is None and not _may_lack(part)]
    others = [(p, convert) for p, convert in conversions if p.name not in plain]
    always = [(p.name, attrgetter(p.name), convert or _same) for p, convert in others if not _may_lack(p)]
    maybe = [(p.name, attrgetter(p.name), convert or _same, _absent(p)) for p, convert in others if _may_lack(p)]
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
                raise Unsayable(f"The answer has no {name}")
            else:
                values[name] = absent
        return cls(**values)

    return load


def _reading(parts: tuple[Part, ...], of: Callable[[TypeMapping], Convert | None], whole: bool) -> Convert:
    """By name: a message lists what it holds, so that what is not there costs nothing."""
    conversions = {part.name: of(part.shape) for part in parts}
    needed = [part for part in parts if whole and part.default is NODEFAULT]
    empty = {part.name: _EMPTY[part.shape.form] for part in needed if part.shape.gathers}
    null = [part.name for part in needed if part.shape.nullable]

    def read(message: Any) -> dict[str, Any]:
        values: dict[str, Any] = {name: make() for name, make in empty.items()}
        values.update(dict.fromkeys(null))
        for field, item in message.ListFields():
            name = field.name
            if name in conversions:
                convert = conversions[name]
                try:
                    values[name] = item if convert is None else convert(item)
                except Unsayable as error:
                    raise error.at(name) from None
        return values

    return read


_EMPTY: dict[Form, Callable[[], Any]] = {Form.LIST: list, Form.MAP: dict}


def _may_lack(part: Part) -> bool:
    """Whether it must be asked if the field is there: it may be null, or has no zero that could stand for it."""
    absent = part.shape.nullable or part.unsettable
    return not part.shape.gathers and (absent or part.shape.form in (Form.MOMENT, Form.RECORD))


def _absent(part: Part) -> Any:
    """What it means that a field is not there; NODEFAULT if it must be."""
    if part.unsettable:
        return UNSET
    return None if part.shape.nullable else NODEFAULT


def _same(value: Any) -> Any:
    return value


def _taking(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Several attributes at once."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _each(convert: Convert | None) -> Convert | None:
    return None if convert is None else lambda values: [convert(value) for value in values]


def _each_value(convert: Convert | None) -> Convert | None:
    return None if convert is None else lambda values: {key: convert(value) for key, value in values.items()}


def _finite(number: float) -> float | str:
    """What is no number in JSON is none here, and is refused by its name."""
    return number if math.isfinite(number) else str(number)


def _inner(shape: TypeMapping) -> TypeMapping:
    return typing.cast("TypeMapping", shape.inner)
