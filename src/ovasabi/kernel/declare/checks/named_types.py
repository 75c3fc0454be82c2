"""The classes that the types of requests, responses and fields consist of, which the contracts name."""

import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal

import msgspec

from ovasabi.kernel.declare.checks.annotations import hints_of


def named_in(hint: Any, within: tuple[type, ...] = ()) -> Iterator[type]:
    """Yields the structs and enums in an annotation, and those that they refer to, innermost first.

    `within` are the structs that contain the annotation: a struct may contain itself.
    """
    origin = typing.get_origin(hint)
    if origin is Literal:
        return
    for argument in typing.get_args(hint):
        yield from named_in(argument, within)
    cls = origin or hint
    if cls in within:
        return
    if isinstance(cls, type) and issubclass(cls, msgspec.Struct):
        hints = hints_of(f"{cls.__module__}.{cls.__name__}", cls)
        for name in cls.__struct_fields__:
            yield from named_in(hints[name], (*within, cls))
        yield cls
    elif isinstance(cls, type) and issubclass(cls, Enum):
        yield cls
