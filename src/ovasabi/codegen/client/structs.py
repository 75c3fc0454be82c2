"""Generates the client's `types.py` files: the enums and structs of responses and requests, by service."""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any

import msgspec

from ovasabi.codegen.client.annotations import Part, classes_in, default_of, is_secret, parts_of, text_of
from ovasabi.codegen.client.formatting import GENERATED, Group, docstring, exported, laid_out, prefixed
from ovasabi.codegen.client.literals import assigned, quoted, source_of
from ovasabi.codegen.client.names import Names
from ovasabi.errors import DeclarationError
from ovasabi.gateway.contract.protobuf.naming import folder_of
from ovasabi.kernel.declare.checks.named_types import named_in
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import Method
from ovasabi.kernel.store.listing import Page

SHARED = "ovasabi"
"""The folder of what belongs to no service."""
_BASES = '''class Choice(StrEnum):
    """Base of the enums. Values of a newer server that this client does not know are preserved."""

    @classmethod
    def _missing_(cls, value: object) -> "Choice | None":
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_, unknown._value_ = value, value
        return unknown


class Response(Struct, frozen=True, kw_only=True):
    """Base of the structs. Fields that this client does not know are ignored."""
'''
_SHARED_DOC = '"""The types of requests and responses that services share: entities, matches and pages."""'


class Types:
    """The enums and structs that some methods use, by service."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._of: dict[str, list[type]] = {SHARED: []}
        for kind in _in_order(methods):
            self._of.setdefault(folder_of(kind), []).append(kind)
        self.modules = {name: module_of(folder) for folder in self._of for name in self.names(folder)}
        """The module from which each name is imported."""

    @property
    def folders(self) -> set[str]:
        """The services that have types."""
        return self._of.keys() - {SHARED}

    def names(self, folder: str) -> list[str]:
        """Returns the names that a service's types define, including the aliases for enum values as text."""
        kinds = self._of.get(folder, [])
        return [kind.__name__ for kind in kinds] + [f"{kind.__name__}Name" for kind in kinds if issubclass(kind, Enum)]

    def shared_file(self) -> str:
        """Returns the file of the shared types."""
        return self._file(SHARED, _SHARED_DOC)

    def service_file(self, folder: str) -> str:
        """Returns the file of a service."""
        return self._file(folder, f'"""The types of requests and responses of the {folder} service."""')

    def _file(self, folder: str, doc: str) -> str:
        kinds = self._of[folder]
        names = Names(_declared_in(kinds), module_of(folder), self.modules)
        bases = [_bases(names)] if folder == SHARED else []
        later = {kind: set(kinds[number:]) for number, kind in enumerate(kinds)}
        body = "\n\n".join([*bases, *(_source(kind, names, later[kind]) for kind in kinds)])
        variables = sorted({name for kind in kinds for name in _variables(kind)})
        defined = [f'{name} = {names.ours("TypeVar")}("{name}")' for name in variables]
        parts = [f"{GENERATED}{doc}\n", f"{names.imports()}\n", exported(self.names(folder))]
        parts += ["\n".join(defined) + "\n"] if defined else []
        return "\n".join(parts) + f"\n\n{body}"


def _bases(names: Names) -> str:
    """Returns the base classes of all types."""
    return _BASES.replace("StrEnum", names.ours("StrEnum")).replace("Struct", names.ours("Struct"))


def _declared_in(kinds: Sequence[type]) -> Iterator[str]:
    """Yields all names that the classes of a module introduce: their own, and those of their fields."""
    for kind in kinds:
        yield kind.__name__
        yield f"{kind.__name__}Name"
        if issubclass(kind, msgspec.Struct):
            yield from (part.name for part in parts_of(kind))


def module_of(folder: str) -> str:
    """Returns the module with the types of a service."""
    return "ovasabi_client.types" if folder == SHARED else f"ovasabi_client.services.{folder}.types"


def _in_order(methods: Iterable[Method]) -> Sequence[type]:
    """Returns the types by name, each after those that it uses; adding a type does not reorder the others."""
    found: dict[str, type] = {}
    for method in methods:
        for hint in [method.response, method.result, *_inside(method.request)]:
            for kind in named_in(hint):
                if kind is not Page and (other := found.setdefault(kind.__name__, kind)) is not kind:
                    raise DeclarationError(f"{kind.__module__} and {other.__module__} both have a {kind.__name__}.")
    kinds = [Entity, *(found[name] for name in sorted(found))]
    return list(dict.fromkeys(needed for kind in kinds for needed in named_in(kind)))


def _inside(request: Any) -> list[Any]:
    return [] if request is None else [part.hint for part in parts_of(request)]


def _source(kind: type, names: Names, later: set[type]) -> str:
    return _struct(kind, names, later) if issubclass(kind, msgspec.Struct) else _enum(kind, names)


def _enum(kind: Any, names: Names) -> str:
    lines = [f"class {kind.__name__}({names.ours('Choice')}):", docstring(4, kind.__doc__ or ""), ""]
    lines += [f"    {member.name} = {quoted(member.value)}" for member in kind]
    values = [quoted(member.value) for member in kind]
    alias = laid_out(0, Group(f"{kind.__name__}Name = {names.ours('Literal')}[", values, "]"))
    return "\n".join([*lines, "", "", alias, f'"""The values of {kind.__name__} as text."""']) + "\n"


def _struct(kind: type[msgspec.Struct], names: Names, later: set[type]) -> str:
    """Returns the source of a struct; what refers to it or to those that are defined `later` is in quotes."""
    entity = issubclass(kind, Entity) and kind is not Entity
    base = names.declared("Entity") if entity else names.ours("Response")
    variables = "".join(f", {names.ours('Generic')}[{name}]" for name in _variables(kind))
    lines = [f"class {kind.__name__}({base}{variables}, frozen=True, kw_only=True):"]
    lines += [docstring(4, kind.__doc__ or ""), ""]
    for part in _own_parts(kind, entity):
        annotation, value = text_of(part.hint, names), _value(part, names)
        target = f"{part.name}: {annotation if later.isdisjoint(classes_in(part.hint)) else quoted(annotation)}"
        lines.append(assigned(4, target, value) if value else f"    {target}")
        if part.note:
            lines.append(docstring(4, part.note))
    return "\n".join(lines) + "\n"


def _own_parts(kind: type[msgspec.Struct], entity: bool) -> Iterator[Part]:
    for part in parts_of(kind):
        if not is_secret(part) and not (entity and part.name in Entity.__struct_fields__):
            yield part


def _value(part: Part, names: Names) -> str | Group:
    """Returns the value of a field in its class: its default, and its name in JSON if that differs."""
    arguments: list[str | Group] = [] if part.name == part.json_name else [f"name={quoted(part.json_name)}"]
    if part.factory is not msgspec.NODEFAULT:
        arguments.append(prefixed("default_factory=", _factory(part.factory(), names)))
    elif isinstance(part.default, msgspec.Struct):
        arguments.append(prefixed("default_factory=", _factory(part.default, names)))
    elif arguments and not part.required:
        arguments.append(prefixed("default=", default_of(part, names)))
    return Group(f"{names.ours('msgspec')}.field(", arguments, ")") if arguments else default_of(part, names)


def _factory(value: Any, names: Names) -> str | Group:
    """Returns what makes a default that each struct has of its own, or whose class may be defined later."""
    if isinstance(value, msgspec.Struct) or (isinstance(value, list | dict) and value):
        return prefixed("lambda: ", source_of(value, names))
    return names.ours(type(value).__name__)


def _variables(kind: type) -> list[str]:
    return [variable.__name__ for variable in getattr(kind, "__parameters__", ())]
