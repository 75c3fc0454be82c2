"""Numbers for ever: read back from the files of the contract, by a strict reader of the one form that we write."""

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


class Given(msgspec.Struct):
    """The numbers of a message or an enum, by name, and what is never used again."""

    numbers: dict[str, int] = msgspec.field(default_factory=dict)
    reserved_numbers: set[int] = msgspec.field(default_factory=set)
    reserved_names: set[str] = msgspec.field(default_factory=set)


Numbers = dict[str, Given]
"""By the full name of the message or enum."""


def folder() -> Path:
    """Where the contract is: inside the installed package, or beside the sources."""
    package = Path(ovasabi.__file__).parent
    for path in (package / "api", package.parents[1] / "api"):
        if path.is_dir():
            return path
    problem = f"The record of the contract's numbers is missing: there is no folder api in {package.parents[1]}."
    raise ContractRefused(problem=problem, hint="It belongs to the sources and to the package; install it anew.")


def known(where: Path) -> Numbers:
    """The numbers that were given, from all files of the contract."""
    numbers: Numbers = {}
    for path in sorted(where.rglob("*.proto")):
        numbers |= read(path.read_text(), str(path.relative_to(where)))
    return numbers


def read(text: str, name: str) -> Numbers:
    """The numbers in one file; a line that is not in our form is refused."""
    numbers: Numbers = {}
    package, inside = "", Given()
    for place, line in enumerate(text.splitlines(), 1):
        if found := _PACKAGE.fullmatch(line):
            package = found[1]
        elif found := _OPENS.fullmatch(line):
            inside = numbers[f"{package}.{found[1]}"] = Given()
        elif found := _NUMBERS.fullmatch(line):
            inside.reserved_numbers.update(map(int, found[1].split(", ")))
        elif found := _NAMES.fullmatch(line):
            inside.reserved_names.update(found[1].replace('"', "").split(", "))
        elif found := _FIELD.fullmatch(line):
            inside.numbers[found[1]] = int(found[2])
        elif not _NUMBERLESS.fullmatch(line):
            hint = "The file is generated: take it back from git, and run `make api`."
            raise ContractRefused(problem=f"Line {place} of {name} cannot be read: {line.strip()}", hint=hint)
    return numbers


def numbered(files: Iterable[File], numbers: Numbers) -> tuple[File, ...]:
    """The files with the numbers that were given, and the next free ones for what is new."""
    return tuple(
        msgspec.structs.replace(
            file,
            messages=tuple(_message(message, numbers.get(message.name, Given())) for message in file.messages),
            enums=tuple(_enum(enum, numbers.get(enum.name, Given())) for enum in file.enums),
        )
        for file in files
    )


def _message(message: Message, given: Given) -> Message:
    numbers, reserved = _assigned(message.name, [field.name for field in message.fields], given, first=1)
    fields = tuple(msgspec.structs.replace(field, number=numbers[field.name]) for field in message.fields)
    return msgspec.structs.replace(message, fields=fields, reserved=reserved)


def _enum(enum: Enum, given: Given) -> Enum:
    numbers, reserved = _assigned(enum.name, [value.name for value in enum.values], given, first=0)
    values = tuple(msgspec.structs.replace(value, number=numbers[value.name]) for value in enum.values)
    return msgspec.structs.replace(enum, values=values, reserved=reserved)


def _assigned(owner: str, names: list[str], given: Given, first: int) -> tuple[dict[str, int], Reserved]:
    for name in names:
        if name in given.reserved_names:
            problem = f"{owner} had a {name} once; its name and number are never used again."
            raise ContractRefused(problem=problem, hint="Give it another name.")
    gone = given.numbers.keys() - set(names)
    next_free = max((*given.numbers.values(), *given.reserved_numbers, first - 1)) + 1
    numbers: dict[str, int] = {}
    for name in names:
        numbers[name] = given.numbers.get(name, next_free)
        next_free += name not in given.numbers
    reserved_numbers = given.reserved_numbers | {given.numbers[name] for name in gone}
    return numbers, Reserved(tuple(sorted(reserved_numbers)), tuple(sorted(given.reserved_names | gone)))
