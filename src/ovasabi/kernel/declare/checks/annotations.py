"""Annotations in parts: the types that they allow, and what they say about them."""

import re
import types
import typing
from typing import Annotated, Any

import msgspec
from msgspec import Meta, UnsetType

from ovasabi.errors import DeclarationError

_SETTINGS = (
    *("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz"),
    *("title", "description", "examples", "extra_json_schema", "extra"),
)

_MODULE = re.compile(r"\b(?:\w+\.)+(?=\w)")


class Parts(msgspec.Struct, frozen=True):
    """The parts of an annotation."""

    types: tuple[Any, ...]
    """The types that it allows, without None."""
    nullable: bool
    """Whether it allows None, or that there is no value."""
    extras: tuple[Any, ...]
    """What `Annotated` adds: limits, and markers."""

    @property
    def meta(self) -> Meta | None:
        """All limits and descriptions in one; the outermost description wins."""
        found = [extra for extra in self.extras if isinstance(extra, Meta)]
        if len(found) < 2:
            return found[0] if found else None
        values = {name: [getattr(meta, name) for meta in found] for name in _SETTINGS}
        return Meta(
            **{name: next((value for value in all_ if value is not None), None) for name, all_ in values.items()}
        )


def parts_of(hint: Any) -> Parts:
    """Returns the parts of an annotation: `Annotated[T, …]`, `T | None`, or both, in any order."""
    extras: tuple[Any, ...] = ()
    if typing.get_origin(hint) is Annotated:
        hint, *rest = typing.get_args(hint)
        extras = tuple(rest)
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return Parts((hint,), False, extras)
    arms = typing.get_args(hint)
    kinds = tuple(arm for arm in arms if arm not in (types.NoneType, UnsetType))
    nullable = len(kinds) < len(arms)
    if len(kinds) != 1:
        return Parts(kinds, nullable, extras)
    inner = parts_of(kinds[0])
    return Parts(inner.types, nullable or inner.nullable, (*extras, *inner.extras))


def hints_of(what: str, declared: Any) -> dict[str, Any]:
    """Returns the annotations of a class or a function; raises `DeclarationError` if one has no meaning."""
    try:
        return typing.get_type_hints(declared, include_extras=True)
    except Exception as error:  # an annotation can be any expression
        problem = f"{what} has an annotation that is not defined: {_sentence(error)}."
        raise DeclarationError(problem, hint="Import the type, or define it above.") from error


def type_name(hint: Any) -> str:
    """Returns a type as in source text, without the names of modules."""
    text = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    return _MODULE.sub("", text).replace("NoneType", "None")


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
