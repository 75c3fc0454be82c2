"""What the class of a service can define: rules and verbs of its own, but nothing that the base class has already."""

import inspect
import keyword
from collections.abc import Callable, Mapping
from typing import Any

from ovasabi.errors import DeclarationError
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.checks.arguments import check_arguments
from ovasabi.kernel.declare.methods import MethodKind, Resource
from ovasabi.kernel.declare.names import (
    RESERVED_METHODS,
    RESERVED_SERVICES,
    check_class_name,
    check_not_reserved,
    check_snake,
)
from ovasabi.suggestions import nearest

SETTINGS = {"offers": frozenset[MethodKind], "manages": Role, "resource": Resource}
"""The class attributes that an entity service can set, with their types."""
DESCRIPTION = {"singular": str, "plural": str, "collection": str, "resource": Resource}
"""The class attributes that a service without an entity can set, with their types."""
_OWN_DUNDERS = frozenset({"__init__", "__repr__", "__str__"})
_OF_EVERY_CLASS = frozenset(
    {"__annotations__", "__dict__", "__doc__", "__module__", "__orig_bases__", "__parameters__", "__qualname__"}
    | {"__abstractmethods__", "__slots__", "__weakref__"}
)
"""The special members that say nothing about how a class works, or that Python adds to it."""
_SIMILARITY = 0.85
_HINTS = {
    "create": "Move the rule to check or prepare, which every create runs.",
    "create_many": "Move the rule to check or prepare, which every create runs.",
    "update": "Move the rule to check or around_update, which every update runs.",
    "delete": "Move the rule to before_delete, after_delete or deleted, which every delete runs.",
    "restore": "Move the rule to before_restore or after_restore, which every restore runs.",
}


def check_own(cls: type, base: type, rules: frozenset[str], settings: Mapping[str, Any]) -> None:
    """Raises `DeclarationError` for a class that replaces part of its base class instead of adding to it.

    `rules` are the methods that it can override with the same signature, `settings` the attributes that it can set.
    """
    check_class_name("The service", cls.__name__)
    check_not_reserved("The service", cls.__name__, RESERVED_SERVICES)
    if type(cls) is not type(base):
        problem = f"{cls.__name__} has the metaclass {type(cls).__name__}, which would change how the base class works."
        raise DeclarationError(problem, hint="Remove it.")
    taken = names_of(base)
    for name, member in own_members(cls, base).items():
        what = f"{cls.__name__}.{name}"
        if hasattr(_within(member), "__declared__"):
            _check_verb(what, name, member, taken)
        elif name in settings and not callable(member):
            check_arguments(cls.__name__, {name: member}, settings)
        elif name in rules or name == "__init__":
            _check_rule(what, member, getattr(base, name))
        elif _is_special(name):
            if name not in _OWN_DUNDERS | _OF_EVERY_CLASS:
                raise DeclarationError(f"{what} would change how the base class works.", hint="Remove it.")
        elif name in taken:
            raise DeclarationError(f"{what} would replace a part of the base class.", hint=hint_for(name))
        elif inspect.isroutine(member):
            _check_helper(what, name, rules)


def _within(member: Any) -> Any:
    """Returns the function of a property, a static method or a class method; otherwise the member itself."""
    return getattr(member, "fget", None) or getattr(member, "__func__", member)


def _is_special(name: str) -> bool:
    """Returns whether a member is one that Python itself uses."""
    return name.startswith("__") and name.endswith("__")


def _check_helper(what: str, name: str, rules: frozenset[str]) -> None:
    """Refuses a function that is probably a rule with a wrong name."""
    if not name.startswith("_") and (near := nearest(name, rules, _SIMILARITY)):
        problem = f"{what} is not a rule, so nothing would call it."
        raise DeclarationError(problem, hint=f"Did you mean {near}? If not, begin its name with an underscore.")


def own_members(cls: type, base: type) -> dict[str, Any]:
    """Returns what a class and its bases define in addition to the base class of services."""
    own = [klass for klass in reversed(cls.__mro__) if klass not in base.__mro__]
    return {name: member for klass in own for name, member in vars(klass).items()}


def names_of(base: type) -> frozenset[str]:
    """Returns the names of everything that an instance of the base class has."""
    annotated = (name for klass in base.__mro__ for name in inspect.get_annotations(klass))
    return frozenset({*dir(base), *annotated})


def hint_for(name: str, otherwise: str = "Choose another name.") -> str:
    """Returns what to do instead of replacing a member."""
    return _HINTS.get(name, otherwise)


def _check_verb(what: str, name: str, member: Any, taken: frozenset[str]) -> None:
    if not inspect.isfunction(member):
        hiding = type(member).__name__
        raise DeclarationError(f"{what} is a method below @{hiding}, which hides it.", hint=f"Remove @{hiding}.")
    function: Any = member
    word = name[:-1] if name.endswith("_") and keyword.iskeyword(name[:-1]) else name
    if word == name:
        check_snake(f"The method {what}", name)
    check_not_reserved(f"The method {what}", word, RESERVED_METHODS)
    if name in taken:
        raise DeclarationError(f"{what} is a method with the name of a part of the base class.", hint=hint_for(name))
    if function.__name__ != name:
        raise DeclarationError(
            f"{what} is the method {function.__name__} under another name.", hint="Define it where it is used."
        )
    kind: MethodKind = function.__declared__.operation
    own = inspect.unwrap(function)
    if kind is not MethodKind.WATCH and not inspect.iscoroutinefunction(own):
        raise DeclarationError(f"{what} must be declared with `async def`.")
    if kind is MethodKind.WATCH and inspect.iscoroutinefunction(own):
        raise DeclarationError(f"{what} must return its messages without `await`: declare it with `def`.")


def _check_rule(what: str, rule: Any, expected: Callable[..., Any]) -> None:
    """Refuses an override that could not be called like the method that it overrides."""
    if not inspect.isfunction(rule):
        raise DeclarationError(f"{what} must be a method.")
    if _nature(rule) != _nature(expected):
        form = "def" if _nature(expected) == "def" else "async def"
        manager = " and @asynccontextmanager" if _is_manager(expected) else ""
        raise DeclarationError(f"{what} must be declared with `{form}`{manager}.")
    try:
        inspect.signature(rule).bind(None, *_arguments(expected), **_options(expected))
    except TypeError:
        names = ", ".join(inspect.signature(expected).parameters)
        raise DeclarationError(f"{what} must have the parameters ({names}).") from None


def _is_manager(function: Callable[..., Any]) -> bool:
    return inspect.isasyncgenfunction(inspect.unwrap(function))


def _nature(function: Callable[..., Any]) -> str:
    if _is_manager(function):
        return "manager" if hasattr(function, "__wrapped__") else "async generator"
    return "async def" if inspect.iscoroutinefunction(function) else "def"


def _arguments(function: Callable[..., Any]) -> list[str]:
    """Returns the names of the parameters that are passed by position, without `self`."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in inspect.signature(function).parameters.values() if each.kind in kinds][1:]


def _options(function: Callable[..., Any]) -> dict[str, None]:
    """Returns an argument of any name if the function accepts one."""
    kinds = (each.kind for each in inspect.signature(function).parameters.values())
    return {"anything": None} if inspect.Parameter.VAR_KEYWORD in kinds else {}
