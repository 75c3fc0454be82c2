"""The synchronous twin of a file with asyncio: the same text, without the words that only asyncio needs."""

import re

from ovasabi.codegen.client.formatting import in_order

_WORDS = [
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\bimport asyncio\n", ""),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\ba(close|read)\b", r"\1"),
    (r"\baiter_bytes\b", "iter_bytes"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\b(transport|api)_async\b", r"\1"),
    (r" with asyncio(?=[:,.])", ""),
    (r"for (\w+) in (.+):\n +yield \1\n", r"yield from \2\n"),
]
_NOTE = re.compile(r" `\w+\.py` is made from this file, without asyncio\.")
_IMPORT = re.compile(r"^(from \S+ import )([\w, ]+)$", re.MULTILINE)


def sync_of(text: str) -> str:
    """The twin's text."""
    for words, others in _WORDS:
        text = re.sub(words, others, text)
    return _IMPORT.sub(lambda line: line[1] + ", ".join(in_order(line[2].split(", "))), _NOTE.sub("", text))
