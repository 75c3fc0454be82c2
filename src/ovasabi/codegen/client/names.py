"""The names that a module of the client uses, and its imports: no name that a service declares can hide one of ours."""

import builtins
from collections.abc import Iterable, Mapping

from ovasabi.codegen.client.formatting import imports, in_order, natural

_STANDARD = {
    "collections.abc": ("AsyncIterator", "Mapping", "Sequence"),
    "datetime": ("date", "datetime"),
    "decimal": ("Decimal",),
    "enum": ("StrEnum",),
    "functools": ("cached_property",),
    "typing": ("Any", "Generic", "Literal", "TypeVar", "cast"),
    "uuid": ("UUID",),
}
_MSGSPEC = {"msgspec": ("UNSET", "Struct", "UnsetType")}
_BY_HAND = {
    "ovasabi_client.responses": ("Page",),
    "ovasabi_client.requests": ("Paging", "Reference", "Request", "new_key", "part"),
    "ovasabi_client.transport_async": ("AsyncConnection", "AsyncService", "AsyncTransport"),
    "ovasabi_client.types": ("Response", "Choice"),
}
_WHOLE = "msgspec"
"""The only module that is imported as a whole."""
OURS = {name: module for group in (_STANDARD, _MSGSPEC, _BY_HAND) for module, names in group.items() for name in names}
"""The names that are not declared by a service, and the module from which each is imported."""
_SECTIONS = (_STANDARD.keys() | {"builtins"}, _MSGSPEC.keys())


class Names:
    """The names in one module. A name of ours that a service declares too is imported under an alias.

    An alias begins with an underscore, which no declared name does. It is the same in both halves of the client.
    """

    def __init__(self, declared: Iterable[str], here: str = "", types: Mapping[str, str] | None = None) -> None:
        self._declared = frozenset(declared)
        self._here = here
        self._types = types or {}
        """The module of each type that services declare."""
        self._imported: dict[str, set[tuple[str, str]]] = {}

    def ours(self, name: str) -> str:
        """Returns one of our names as it is written in the module."""
        synchronous = name.removeprefix("Async")
        written = f"_{synchronous}" if {name, synchronous} & self._declared else name
        module = OURS.get(name, "builtins" if hasattr(builtins, name) else name)
        if module != self._here and (module != "builtins" or written != name):
            self._imported.setdefault(module, set()).add((name, written))
        return written

    def declared(self, name: str) -> str:
        """Returns the name of a type that a service declares."""
        module = self._types[name]
        if module != self._here:
            self._imported.setdefault(module, set()).add((name, name))
        return name

    def imports(self) -> str:
        """Returns the imports of all names that were used, in the order that the linter requires."""
        rest = self._imported.keys() - {module for section in _SECTIONS for module in section}
        sections = [self._section(modules & self._imported.keys()) for modules in (*_SECTIONS, rest)]
        return "\n\n".join(section for section in sections if section)

    def _section(self, modules: set[str]) -> str:
        whole, parts = list[str](), list[str]()
        for module in sorted(modules, key=natural):
            found = self._imported[module]
            whole += [f"import {_as(*pair)}" for pair in found if pair[0] == _WHOLE == module]
            named = sorted(pair for pair in found if pair[0] != _WHOLE)
            plain = [name for name, written in named if name == written]
            first = {in_order(plain)[0]: imports(module, plain)} if plain else {}
            first |= {name: f"from {module} import {_as(name, written)}" for name, written in named if name != written}
            parts += [first[name] for name in in_order(first)]
        return "\n".join([*whole, *parts])


def _as(name: str, written: str) -> str:
    return name if name == written else f"{name} as {written}"
