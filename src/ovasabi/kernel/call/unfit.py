"""Characters that PostgreSQL's texts cannot have, U+0000 and lone surrogates, and where they are in values and JSON."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ovasabi.kernel.call.errors import InvalidValue

_UNFIT = re.compile("[\0\ud800-\udfff]")
_HEX = rb"[0-9a-fA-F]{2}"
_HIGH, _LOW = rb"\\u[dD][89abAB]" + _HEX, rb"\\u[dD][c-fC-F]" + _HEX
# What both begin with comes first, so that the search leaps from one escape to the next.
_LONE = re.compile(
    rb"\\u[dD](?:[89abAB]" + _HEX + rb"(?!" + _LOW + rb")|(?<!" + _HIGH + rb"\\u[dD])[c-fC-F]" + _HEX + rb")"
)


def unfit_in(text: str) -> str | None:
    """Returns which character of a text cannot be stored, and where it is; None if there is none."""
    match = _UNFIT.search(text)
    return None if match is None else f"U+{ord(match[0]):04X} at position {match.start() + 1}"


def refusal_of(values: Mapping[str, Any]) -> InvalidValue:
    """Returns the error for values of which one, or a name in it, has such a character."""
    for path, text in _texts(values, ""):
        if (unfit := unfit_in(text)) is not None:
            name = path.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
            return InvalidValue(field=name, problem=f"{name} contains the character {unfit}, which cannot be stored.")
    return InvalidValue(problem="Text must not contain the character U+0000 or a lone surrogate.")


def fault_of(json: bytes) -> str | None:
    """Returns what a JSON text is not, and where: UTF-8, or free of halves of surrogate pairs; None if it is both."""
    try:
        json.decode()
    except UnicodeDecodeError as error:
        return f"not valid UTF-8: its byte {error.start + 1} is {json[error.start]:#04x}"
    # Without escaped backslashes, each one that is left begins an escape.
    if (match := _LONE.search(json.replace(b"\\\\", b"__"))) is not None:
        return f"not valid JSON: {match[0].decode()} at its byte {match.start() + 1} is a lone surrogate"
    return None


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yields the texts of a value, and the names in it, each with its path."""
    match value:
        case str():
            yield path, value
        case Mapping():
            for name, part in value.items():
                below = f"{path}.{name}" if path else str(name)
                yield below, str(name)
                yield from _texts(part, below)
        case list() | tuple() | set() | frozenset():
            for number, part in enumerate(value):
                yield from _texts(part, f"{path}[{number}]")
