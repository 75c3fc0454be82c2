"""Makes a text fit for a line of the log: no control characters, which could forge lines, and no secrets."""

import re
from collections.abc import Callable, Iterable

from ovasabi.errors import shortened

LONGEST = 10_000
"""How many characters a message has at most: what callers send may be part of it."""

# Control characters, what programs take for the end of a line, what changes the direction of writing, and halves of
# characters, which cannot be encoded.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SECRETS = (
    (re.compile(r"\bovk_([a-z0-9]{12})_[A-Za-z0-9_-]+"), r"ovk_\1_***"),
    (re.compile(r"\b(bearer|basic|peer) +[^\s'\",;]+", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"\b([a-z][a-z0-9+]{0,20}://[^\s:/@]{0,100}):\S{1,200}@"), r"\1:***@"),
)
HIDDEN = "***"
_SHORTEST = 6
"""Shorter secrets are parts of ordinary words; as the password of a URL they are hidden nevertheless."""


def escaped(text: str) -> str:
    """Returns a text with what is not fit for a line in the notation of Python."""
    return _UNFIT.sub(_escape, text)


def hiding(secrets: Iterable[str]) -> Callable[[str], str]:
    """Returns what hides these secrets in a text, and whatever has the form of a key, a credential or a password."""
    known = sorted((re.escape(secret) for secret in set(secrets) if len(secret) >= _SHORTEST), key=len, reverse=True)
    ours = re.compile("|".join(known)) if known else None

    def hide(text: str) -> str:
        if ours is not None:
            text = ours.sub(HIDDEN, text)
        for form, shown in _SECRETS:
            text = form.sub(shown, text)
        return text

    return hide


def fit(text: str, hide: Callable[[str], str]) -> str:
    """Returns a text as it may be part of a line: without secrets, not too long, and escaped."""
    return escaped(shortened(hide(text), LONGEST))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _NAMES.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
