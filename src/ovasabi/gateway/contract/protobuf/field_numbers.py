"""Permanent field numbers, read back from the contract's files by a strict parser of the form that we generate."""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

import ovasabi
from ovasabi.gateway.contract.protobuf.schema import ContractRefused, Enum, File, Message, Reserved

_NUMBERLESS = re.compile(
    r'\s*(//.*)?|syntax = "proto3";|import "[\w./]+";|service \w+ \{|\}'
    r"|  rpc \w+\([\w.]+\) returns \((stream )?[\w.]+\);"
)
_PACKAGE = re.compile(r"package ([\w.]+);")
_OPENS = re.compile(r"(?:message|enum) (\w+) \{(\})?")
_NUMBERS = re.compile(r"  reserved (\d+(?:, \d+)*);")
_NAMES = re.compile(r'  reserved ("\w+"(?:, "\w+")*);')
_FIELD = re.compile(r"  (?:(?:optional |repeated )?[\w.]+ |map<string, [\w.]+> )?(\w+) = (\d+);")


class Assigned(msgspec.Struct):
    """The numbers of a message or an enum by name, and its reserved numbers and names."""

    numbers: dict[str, int] = msgspec.field(default_factory=dict)
    reserved_numbers: set[int] = msgspec.field(default_factory=set)
    reserved_names: set[str] = msgspec.field(default_factory=set)


Numbers = dict[str, Assigned]
"""The assigned numbers by the full name of the message or enum."""


def folder() -> Path:
    """Returns the folder of the contract: in the installed package, or next to the sources."""
    package = Path(ovasabi.__file__).parent
    for path in (package / "api", package.parents[1] / "api"):
        if path.is_dir():
            return path
    problem = f"The files with the contract's field numbers are missing: no folder api in {package.parents[1]}."
    raise ContractRefused(problem=problem, hint="It is part of the sources and of the package. Reinstall OVASABI.")


def known(where: Path) -> Numbers:
    """Returns the numbers assigned in all files of the contract."""
    numbers: Numbers = {}
    for path in sorted(where.rglob("*.proto")):
        numbers |= read(path.read_text(), str(path.relative_to(where)))
    return numbers


def read(text: str, name: str) -> Numbers:
    """Returns the numbers in one file; raises `ContractRefused` for a line that is not in the generated form."""
    numbers: Numbers = {}
    package, inside = "", Assigned()
    for line_number, line in enumerate(text.splitlines(), 1):
        if found := _PACKAGE.fullmatch(line):
            package = found[1]
        elif found := _OPENS.fullmatch(line):
            inside = numbers[f"{package}.{found[1]}"] = Assigned()
        elif found := _NUMBERS.fullmatch(line):
            inside.reserved_numbers.update(map(int, found[1].split(", ")))
        elif found := _NAMES.fullmatch(line):
            inside.reserved_names.update(found[1].replace('"', "").split(", "))
        elif found := _FIELD.fullmatch(line):
            inside.numbers[found[1]] = int(found[2])
        elif not _NUMBERLESS.fullmatch(line):
            hint = "The file is generated: restore it from git, and run `make api`."
            raise ContractRefused(problem=f"Line {line_number} of {name} cannot be parsed: {line.strip()}", hint=hint)
    return numbers


def numbered(files: Iterable[File], numbers: Numbers) -> tuple[File, ...]:
    """Returns the files with their assigned numbers, and the next free numbers for new fields."""
    return tuple(
        msgspec.structs.replace(
            file,
            messages=tuple(_message(message, numbers.get(message.name, Assigned())) for message in file.messages),
            enums=tuple(_enum(enum, numbers.get(enum.name, Assigned())) for enum in file.enums),
        )
        for file in files
    )


def _message(message: Message, assigned: Assigned) -> Message:
    numbers, reserved = _assigned(message.name, [field.name for field in message.fields], assigned, first=1)
    fields = tuple(msgspec.structs.replace(field, number=numbers[field.name]) for field in message.fields)
    return msgspec.structs.replace(message, fields=fields, reserved=reserved)


def _enum(enum: Enum, assigned: Assigned) -> Enum:
    numbers, reserved = _assigned(enum.name, [value.name for value in enum.values], assigned, first=0)
    values = tuple(msgspec.structs.replace(value, number=numbers[value.name]) for value in enum.values)
    return msgspec.structs.replace(enum, values=values, reserved=reserved)


def _assigned(owner: str, names: list[str], assigned: Assigned, first: int) -> tuple[dict[str, int], Reserved]:
    for name in names:
        if name in assigned.reserved_names:
            problem = f"The name {name} in {owner} is reserved: it was used before, and names are never reused."
            raise ContractRefused(problem=problem, hint="Choose another name.")
    removed = assigned.numbers.keys() - set(names)
    next_free = max((*assigned.numbers.values(), *assigned.reserved_numbers, first - 1)) + 1
    numbers: dict[str, int] = {}
    for name in names:
        numbers[name] = assigned.numbers.get(name, next_free)
        next_free += name not in assigned.numbers
    reserved_numbers = assigned.reserved_numbers | {assigned.numbers[name] for name in removed}
    return numbers, Reserved(tuple(sorted(reserved_numbers)), tuple(sorted(assigned.reserved_names | removed)))
