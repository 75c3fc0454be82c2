"""The client's `types.py`: the enums and structs of all answers, and of what requests hold."""

from collections.abc import Iterable
from enum import Enum
from typing import Any

import msgspec

from ovasabi.codegen.client.annotations import (
    MODULES,
    Part,
    default_of,
    is_secret,
    named_in,
    parts_of,
    text_of,
)
from ovasabi.codegen.client.formatting import GENERATED, Group, docstring, imports, laid_out, words_in
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import Method
from ovasabi.kernel.store.listing import Page

DOC = '''"""What the server answers, and what it takes: entities, their states, pages and matches."""'''
BASES = '''class Choice(StrEnum):
    """Base of the enums. A value that a newer server has, and this client does not know, is kept as it is."""

    @classmethod
    def _missing_(cls, value: object) -> "Choice | None":
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_, unknown._value_ = value, value
        return unknown


class Answer(Struct, frozen=True, kw_only=True):
    """Base of the structs. Fields that this client does not know are passed over."""
'''


def types_of(methods: Iterable[Method]) -> list[type]:
    """The enums and structs that the methods name, each after those that it needs itself."""
    found: dict[type, None] = {}
    for method in methods:
        for hint in [method.response, method.result, *_inside(method.request)]:
            found |= dict.fromkeys(named_in(hint))
    return [Entity, *(kind for kind in found if kind not in (Page, Entity))]


def type_names(methods: Iterable[Method]) -> list[str]:
    """The names that `types.py` offers: those types, and the values of each enum as text."""
    kinds = types_of(methods)
    return [kind.__name__ for kind in kinds] + [f"{kind.__name__}Name" for kind in kinds if issubclass(kind, Enum)]


def types_file(methods: Iterable[Method]) -> str:
    """The whole file."""
    kinds = types_of(methods)
    names: dict[str, type] = {}
    for kind in kinds:
        if names.setdefault(kind.__name__, kind) is not kind:
            raise TypeError(f"{kind.__module__} and {names[kind.__name__].__module__} both have a {kind.__name__}")
    body = "\n\n".join(_struct(kind) if issubclass(kind, msgspec.Struct) else _enum(kind) for kind in kinds)
    variables = sorted({name for kind in kinds for name in _variables(kind)})
    made = "".join(f'{name} = TypeVar("{name}")\n' for name in variables)
    return f"{GENERATED}{DOC}\n\n{_imports(body, bool(variables))}\n\n{made}\n\n{BASES}\n\n{body}"


def _inside(request: Any) -> list[Any]:
    return [] if request is None else [part.hint for part in parts_of(request)]


def _enum(kind: Any) -> str:
    lines = [f"class {kind.__name__}(Choice):", docstring(4, kind.__doc__ or ""), ""]
    lines += [f"    {member.name} = {text_of_value(member.value)}" for member in kind]
    names = [text_of_value(member.value) for member in kind]
    alias = laid_out(0, Group(f"{kind.__name__}Name = Literal[", names, "]"))
    return "\n".join([*lines, "", "", alias, f'"""The values of {kind.__name__} as text."""']) + "\n"


def text_of_value(value: Any) -> str:
    """A value of an enum as source."""
    return msgspec.json.encode(value).decode()


def _struct(kind: type[msgspec.Struct]) -> str:
    entity = issubclass(kind, Entity) and kind is not Entity
    variables = "".join(f", Generic[{name}]" for name in _variables(kind))
    lines = [f"class {kind.__name__}({'Entity' if entity else 'Answer'}{variables}, frozen=True, kw_only=True):"]
    lines += [docstring(4, kind.__doc__ or ""), ""]
    for part in parts_of(kind):
        if is_secret(part) or (entity and part.name in Entity.__struct_fields__):
            continue
        value = _value(part)
        lines.append(f"    {part.name}: {text_of(part.hint)}{f' = {value}' if value else ''}")
        if part.note:
            lines.append(docstring(4, part.note))
    return "\n".join(lines) + "\n"


def _value(part: Part) -> str:
    """What a field is in its class: its default, and its name in JSON where that is another."""
    arguments = [] if part.name == part.sent else [f'name="{part.sent}"']
    if part.factory is not msgspec.NODEFAULT:
        arguments.append(f"default_factory={part.factory.__name__}")
    elif arguments and not part.required:
        arguments.append(f"default={default_of(part)}")
    return f"msgspec.field({', '.join(arguments)})" if arguments else default_of(part)


def _variables(kind: type) -> list[str]:
    return [variable.__name__ for variable in getattr(kind, "__parameters__", ())]


def _imports(body: str, generic: bool) -> str:
    words = words_in(body)
    lines: dict[str, set[str]] = {"enum": {"StrEnum"}}
    for name, module in {**MODULES, "Literal": "typing"}.items():
        if name in words:
            lines.setdefault(module, set()).add(name)
    if generic:
        lines.setdefault("typing", set()).update({"Generic", "TypeVar"})
    text = "\n".join(f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(lines.items()))
    others = {"Struct", *({"UNSET", "UnsetType"} & words)}
    return f"{text}\n\nimport msgspec\n{imports('msgspec', others)}"
