"""The registry of error codes: every class of error that the program has, as each door tells it. There is no list."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import msgspec

import ovasabi
from ovasabi.errors import Kind, OvasabiError
from ovasabi.gateway.status_codes import STATUS_CODES, Grpc, grpc_code, http_status
from ovasabi.gateway.wire.problems import Problem, problem_of

CORRELATION = "EhmR4CyRJZ7G84QWBT4IGw"


class Code(msgspec.Struct, frozen=True):
    """One code: what it means, how each door tells it, and an example as HTTP would send it."""

    code: str
    kind: Kind
    title: str
    meaning: str
    message: str
    hint: str | None
    http: int
    grpc: Grpc
    module: str
    example: Problem


def codes() -> list[Code]:
    """All codes of the program, in order; modules that nobody has needed so far are loaded for it."""
    for module in pkgutil.walk_packages(ovasabi.__path__, "ovasabi."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    own = [cls for cls in error_classes() if f"{cls.__module__}.".startswith("ovasabi.")]
    return sorted(map(_described, own), key=lambda code: code.code)


def error_classes() -> Iterator[type[OvasabiError]]:
    """The classes of errors that are loaded, each once, those above before those below."""
    waiting: list[type[OvasabiError]] = [OvasabiError]
    for cls in waiting:
        waiting += [below for below in cls.__subclasses__() if below not in waiting]
        yield cls


def class_of(code: str) -> type[OvasabiError] | None:
    """The class that has a code, if it is loaded here: what another process told may be of a service that is not."""
    return next((cls for cls in error_classes() if cls.code == code), None)


def _described(cls: type[OvasabiError]) -> Code:
    return Code(
        code=cls.code,
        kind=cls.kind,
        title=STATUS_CODES[cls.kind].title,
        meaning=inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("\n", " "),
        message=cls.message,
        hint=cls.hint,
        http=http_status(cls),
        grpc=grpc_code(cls),
        module=cls.__module__,
        example=problem_of(cls(**cls.example), CORRELATION),
    )
