"""Generates the client's `types.py` files: the enums and structs of responses and requests, by service."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec

from ovasabi.codegen.client.annotations import (
    MODULES,
    Part,
    default_of,
    is_secret,
    parts_of,
    text_of,
)
from ovasabi.codegen.client.errors import error_names
from ovasabi.codegen.client.formatting import GENERATED, Group, docstring, exported, imports, laid_out, words_in
from ovasabi.gateway.contract.protobuf.naming import folder_of
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import Method
from ovasabi.kernel.declare.named_types import named_in
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


class Answer(Struct, frozen=True, kw_only=True):
    """Base of the structs. Fields that this client does not know are ignored."""
'''
_SHARED_DOC = '"""The types of requests and responses that services share: entities, matches and pages."""'
_BASE_NAMES = ("Answer", "Choice")


class Types:
    """The enums and structs that some methods use, by service."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._of: dict[str, list[type]] = {SHARED: []}
        self.modules = dict.fromkeys(_BASE_NAMES, module_of(SHARED))
        """The module from which each name is imported."""
        for kind in _in_order(methods):
            self._of.setdefault(folder_of(kind), []).append(kind)
        for folder in self._of:
            for name in self.names(folder):
                self._add(name, module_of(folder))

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
        return self._file(SHARED, _SHARED_DOC, f"{_BASES}\n\n")

    def service_file(self, folder: str) -> str:
        """Returns the file of a service."""
        return self._file(folder, f'"""The types of requests and responses of the {folder} service."""')

    def _file(self, folder: str, doc: str, bases: str = "") -> str:
        kinds = self._of[folder]
        body = bases + "\n\n".join(_source(kind) for kind in kinds)
        variables = sorted({name for kind in kinds for name in _variables(kind)})
        type_variables = "".join(f'{name} = TypeVar("{name}")\n' for name in variables)
        head = f"{GENERATED}{doc}\n\n{self._imports(body, folder, bool(variables))}\n\n"
        return f"{head}{exported(self.names(folder))}{f'{chr(10)}{type_variables}' if type_variables else ''}\n\n{body}"

    def _add(self, name: str, module: str) -> None:
        if self.modules.setdefault(name, module) is not module or name in error_names():
            raise TypeError(f"The client would have two classes named {name}, one of them in {module}.")

    def _imports(self, body: str, folder: str, generic: bool) -> str:
        words = words_in(body)
        lines: dict[str, set[str]] = {"enum": {"StrEnum"}} if folder == SHARED else {}
        for name, module in {**MODULES, "Literal": "typing"}.items():
            if name in words:
                lines.setdefault(module, set()).add(name)
        if generic:
            lines.setdefault("typing", set()).update({"Generic", "TypeVar"})
        standard = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(lines.items())]
        others = ({"Struct"} if folder == SHARED else set()) | ({"UNSET", "UnsetType"} & words)
        third_party = ["import msgspec"] if "msgspec" in words else []
        third_party += [imports("msgspec", others)] if others else []
        parts = ["\n".join(standard), "\n".join(third_party), imported(self.modules, words, module_of(folder))]
        return "\n\n".join(part for part in parts if part)


def module_of(folder: str) -> str:
    """Returns the module with the types of a service."""
    return "ovasabi_client.types" if folder == SHARED else f"ovasabi_client.services.{folder}.types"


def imported(modules: Mapping[str, str], words: set[str], here: str = "") -> str:
    """Returns imports of the names used in `words`, except those defined in the module `here` itself."""
    wanted: dict[str, list[str]] = {}
    for name in words & modules.keys():
        if modules[name] != here:
            wanted.setdefault(modules[name], []).append(name)
    return "\n".join(imports(module, names) for module, names in sorted(wanted.items()))


def _in_order(methods: Iterable[Method]) -> Sequence[type]:
    """Returns the types by name, each after those that it uses; adding a type does not reorder the others."""
    found: dict[str, type] = {}
    for method in methods:
        for hint in [method.response, method.result, *_inside(method.request)]:
            for kind in named_in(hint):
                if found.setdefault(kind.__name__, kind) is not kind:
                    raise TypeError(
                        f"{kind.__module__} and {found[kind.__name__].__module__} both have a {kind.__name__}"
                    )
    found.pop(Page.__name__, None)
    kinds = [Entity, *(found[name] for name in sorted(found))]
    return list(dict.fromkeys(needed for kind in kinds for needed in named_in(kind)))


def _inside(request: Any) -> list[Any]:
    return [] if request is None else [part.hint for part in parts_of(request)]


def _source(kind: type) -> str:
    return _struct(kind) if issubclass(kind, msgspec.Struct) else _enum(kind)


def _enum(kind: Any) -> str:
    lines = [f"class {kind.__name__}(Choice):", docstring(4, kind.__doc__ or ""), ""]
    lines += [f"    {member.name} = {text_of_value(member.value)}" for member in kind]
    names = [text_of_value(member.value) for member in kind]
    alias = laid_out(0, Group(f"{kind.__name__}Name = Literal[", names, "]"))
    return "\n".join([*lines, "", "", alias, f'"""The values of {kind.__name__} as text."""']) + "\n"


def text_of_value(value: Any) -> str:
    """Returns a value of an enum as source."""
    return msgspec.json.encode(value).decode()


def _struct(kind: type[msgspec.Struct]) -> str:
    entity = issubclass(kind, Entity) and kind is not Entity
    variables = "".join(f", Generic[{name}]" for name in _variables(kind))
    lines = [f"class {kind.__name__}({'Entity' if entity else 'Answer'}{variables}, frozen=True, kw_only=True):"]
    lines += [docstring(4, kind.__doc__ or ""), ""]
    for part in _own_parts(kind, entity):
        value = _value(part)
        lines.append(f"    {part.name}: {text_of(part.hint)}{f' = {value}' if value else ''}")
        if part.note:
            lines.append(docstring(4, part.note))
    return "\n".join(lines) + "\n"


def _own_parts(kind: type[msgspec.Struct], entity: bool) -> Iterator[Part]:
    for part in parts_of(kind):
        if not is_secret(part) and not (entity and part.name in Entity.__struct_fields__):
            yield part


def _value(part: Part) -> str:
    """Returns the value of a field in its class: its default, and its name in JSON if that differs."""
    arguments = [] if part.name == part.json_name else [f'name="{part.json_name}"']
    if part.factory is not msgspec.NODEFAULT:
        arguments.append(f"default_factory={part.factory.__name__}")
    elif arguments and not part.required:
        arguments.append(f"default={default_of(part)}")
    return f"msgspec.field({', '.join(arguments)})" if arguments else default_of(part)


def _variables(kind: type) -> list[str]:
    return [variable.__name__ for variable in getattr(kind, "__parameters__", ())]
