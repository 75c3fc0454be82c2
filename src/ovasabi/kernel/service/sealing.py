"""Services stay as declared: no class is changed afterwards, and no instance replaces what its class defines."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, get_origin

from ovasabi.errors import DeclarationError
from ovasabi.kernel.service.overrides import hint_for, names_of
from ovasabi.kernel.store.repository import Repository

_MADE_BY_PYTHON = frozenset({"__abstractmethods__", "__annotations__", "__dict__", "__doc__", "__weakref__"})
"""Members that Python may add to a class later, or that no method depends on."""
_HINT = "Remove the assignment."
_sealed: dict[type, Mapping[str, Any]] = {}
"""The members of each class when it was complete, for all classes of services and their bases."""


def seal(*classes: type) -> None:
    """Records the members of classes and their bases."""
    for each in (klass for cls in classes for klass in cls.__mro__):
        _sealed.setdefault(each, _members(each))


def check_sealed(*classes: type) -> None:
    """Raises `DeclarationError` if a class or one of its bases was changed after it was recorded."""
    for each in (klass for cls in classes for klass in cls.__mro__):
        now, before = _members(each), _sealed.get(each)
        if before is None:
            problem = f"{each.__name__} became a base of {classes[0].__name__} after the class was defined."
            raise DeclarationError(problem, hint=_HINT)
        if changed := [name for name in now.keys() | before.keys() if now.get(name) is not before.get(name)]:
            name = min(changed)
            problem = f"{each.__name__}.{name} was changed after the class was defined."
            raise DeclarationError(problem, hint=hint_for(name, _HINT))


def check_instance(instance: Any, cls: type, base: type, database: Any, registry: Any) -> None:
    """Raises `DeclarationError` if an instance replaces what its class or the base class defines.

    `database` and `registry` are what it was created with.
    """
    start, has = f"{cls.__name__}.__init__", vars(instance)
    if type(instance) is not cls:
        raise DeclarationError(f"{start} changes the class of the service.", hint="Do not assign to __class__.")
    if "registry" not in has or "database" not in has:
        problem = f"{start} does not call that of its base class."
        raise DeclarationError(problem, hint="Begin it with `super().__init__(database, registry)`.")
    own = {name for name in has if hasattr(getattr(cls, name, None), "__declared__")}
    replaced = own | has.keys() & (names_of(base) - _variables(base))
    replaced |= {name for name, given in (("database", database), ("registry", registry)) if has[name] is not given}
    if type(repository := has.get("repository")) is Repository:
        replaced |= {f"repository.{name}" for name in vars(repository) if callable(getattr(Repository, name, None))}
    elif repository is not None:
        replaced.add("repository")
    if replaced:
        name = min(replaced)
        raise DeclarationError(f"{start} replaces self.{name}.", hint=hint_for(name, _HINT))


def _members(cls: type) -> dict[str, Any]:
    return {name: member for name, member in vars(cls).items() if name not in _MADE_BY_PYTHON}


def _variables(base: type) -> set[str]:
    """Returns the attributes that only instances have: those that are annotated, but not as of the class."""
    hints: dict[str, Any] = {}
    for klass in base.__mro__:
        hints |= inspect.get_annotations(klass)
    return {name for name, hint in hints.items() if get_origin(hint) is not ClassVar}
