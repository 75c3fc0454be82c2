"""The registry of error codes, derived from the error classes: how each protocol represents every error."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import msgspec

import ovasabi
from ovasabi.errors import Kind, OvasabiError
from ovasabi.gateway.status_codes import Grpc, grpc_code, http_status, title_of
from ovasabi.gateway.wire.problems import ProblemDetails, problem_of

CORRELATION = "EhmR4CyRJZ7G84QWBT4IGw"


class Code(msgspec.Struct, frozen=True):
    """An error code: its meaning, its representation in each protocol, and an example as sent over HTTP."""

    code: str
    kind: Kind
    title: str
    meaning: str
    message: str
    hint: str | None
    http: int
    grpc: Grpc
    module: str
    example: ProblemDetails


def codes() -> list[Code]:
    """Returns all error codes, sorted. Loads all modules of the program to find their error classes."""
    for module in pkgutil.walk_packages(ovasabi.__path__, "ovasabi."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    own = [cls for cls in error_classes() if f"{cls.__module__}.".startswith("ovasabi.")]
    return sorted(map(_described, own), key=lambda code: code.code)


def error_classes() -> Iterator[type[OvasabiError]]:
    """Yields the loaded error classes, each once, base classes before their subclasses."""
    queue: list[type[OvasabiError]] = [OvasabiError]
    for cls in queue:
        queue += [subclass for subclass in cls.__subclasses__() if subclass not in queue]
        yield cls


def class_of(code: str) -> type[OvasabiError] | None:
    """Returns the error class with a code; None if it is not loaded, since its service may run only elsewhere."""
    return next((cls for cls in error_classes() if cls.code == code), None)


def _described(cls: type[OvasabiError]) -> Code:
    return Code(
        code=cls.code,
        kind=cls.kind,
        title=title_of(cls),
        meaning=inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("\n", " "),
        message=cls.message,
        hint=cls.hint,
        http=http_status(cls),
        grpc=grpc_code(cls),
        module=cls.__module__,
        example=problem_of(cls(**cls.example), CORRELATION),
    )
