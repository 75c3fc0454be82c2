"""How many values a JSON text has, bounded before it is decoded: a value takes up to a hundred times its bytes."""

import re

MAX_VALUES = 100_000
"""Items of lists and fields of objects, at all depths. The metadata of an entity has room for a third of this."""
TOO_MANY = f"has more than {MAX_VALUES} values"
_STRING = rb'"(?:[^"\\]++|\\.)*+(?:"|$)'
_ONE_MORE = re.compile(rb'(?:(?:[^",\[{]++|%b)*+[,\[{]){%d}+' % (_STRING, MAX_VALUES + 1), re.DOTALL)
"""As many marks outside of strings as there may not be: nothing behind them is read."""


def has_too_many_values(json: bytes | str) -> bool:
    """Returns whether a text would be decoded into more than `MAX_VALUES` values; it need not be valid."""
    if len(json) <= MAX_VALUES:
        return False
    text = json.encode(errors="replace") if isinstance(json, str) else json
    # Strings are left out only if the marks in them could matter.
    marks = text.count(b",") + text.count(b"[") + text.count(b"{")
    return marks > MAX_VALUES and _ONE_MORE.match(text) is not None
