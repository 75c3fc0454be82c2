"""Whether the arguments of a decorator, a marker or a class are of the types that their annotations state."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.checks.annotations import type_name


def check_arguments(what: str, values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """Raises `DeclarationError` for the first value that is not of its type; `what` says whose arguments they are."""
    for name, value in values.items():
        if not _is(value, hints[name]):
            raise DeclarationError(f"{what} has {name}={value!r}, which must be of the type {type_name(hints[name])}.")


def check_marker(what: str, marker: msgspec.Struct) -> None:
    """The same, for the arguments of a marker."""
    name = f"{type(marker).__name__} of {what[:1].lower()}{what[1:]}"
    values = {field: getattr(marker, field) for field in marker.__struct_fields__}
    check_arguments(name, values, typing.get_type_hints(type(marker)))


def _is(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_is(value, arm) for arm in arguments)
    if origin in (tuple, list, frozenset):
        return isinstance(value, origin) and all(_is(item, arguments[0]) for item in value)
    if origin is type:
        return isinstance(value, type) and issubclass(value, arguments[0])
    if origin is Callable:
        return callable(value) and not inspect.iscoroutinefunction(value) and _accepts(value, len(arguments[0]))
    return isinstance(value, hint) and not (hint is int and isinstance(value, bool))


def _accepts(function: Callable[..., Any], count: int) -> bool:
    """Returns whether a function can be called with so many arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a built-in one, such as `str`, does not say
        return True
    return True
