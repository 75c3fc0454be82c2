"""The worst that a caller can send of a given size: to every field, and instead of a request."""

import json
from collections.abc import Iterator
from typing import Any

MANY = {"lists": b"[],", "objects": b"{},", "numbers": b"1,", "strings": b'"",', "nested": b'[[{"a":[]}]],'}
"""Items of a list, of which as many are sent as fit."""
TEXTS = {
    "letters": b"a",
    "digits": b"1",
    "dots": b"a.",
    "commas": b"[{,",
    "escapes": b"\\u0041",
    "pairs": b"\\ud83d\\ude00",
    "backslashes": b"\\\\",
    "at signs": b"a@",
}
WHOLE = {
    "open lists": b"[",
    "open objects": b'{"a":',
    "spaces": b" ",
    "quotes": b'"',
    "zeros": b"\0",
    "not UTF-8": b"\xff",
}


def filled(part: bytes, size: int) -> bytes:
    """Copies of a part, of a size in bytes."""
    return part * (size // len(part))


def bodies(size: int, given: dict[str, Any], names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Bodies of a size in bytes: a request, with one of the named fields made as bad as can be, or something else."""
    for what, part in WHOLE.items():
        yield what, filled(part, size)
    for name in [*names, "metadata"]:
        rest = {key: value for key, value in given.items() if key != name}
        for what, value in _values(size):
            yield f"{name}: {what}", _with(rest, name.encode(), value)
    for what, part in TEXTS.items():
        yield f"a name of {what}", _with(given, filled(part, size), b"1")
    fields = b",".join(b'"%x":1' % number for number in range(size // 10))
    yield "many names", b"{" + fields + b"}"
    yield "many names in metadata", _with(given, b"metadata", b"{" + fields + b"}")


def _values(size: int) -> Iterator[tuple[str, bytes]]:
    for what, part in TEXTS.items():
        yield what, b'"' + filled(part, size) + b'"'
        yield f"{what}, then a lone surrogate", b'"' + filled(part, size) + b'\\ud800"'
    for what, part in MANY.items():
        yield what, b"[" + filled(part, size)[:-1] + b"]"
        yield f"{what} in an object", b'{"a":[' + filled(part, size)[:-1] + b"]}"
    yield "a long number", filled(b"1", size)
    yield "a long fraction", b"0." + filled(b"1", size)
    yield "a long exponent", b"1e" + filled(b"9", size)


def _with(given: dict[str, Any], name: bytes, value: bytes) -> bytes:
    rest = json.dumps(given).encode()[1:-1]
    return b"{" + rest + (b"," if rest else b"") + b'"' + name + b'":' + value + b"}"
