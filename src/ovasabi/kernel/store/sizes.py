"""How much of an entity can be indexed and searched: checked before its row shares a statement with others."""

import re
from collections.abc import Mapping
from typing import Any

from ovasabi.kernel.call.errors import TooLarge
from ovasabi.kernel.declare.entity import EntityType
from ovasabi.kernel.declare.fields import INDEXED_BYTES, SEARCHED_CHARACTERS, FromMetadata
from ovasabi.kernel.declare.metadata import derived

VECTOR_BYTES = 1 << 20
"""PostgreSQL's limit for the words of one row and their positions."""
ALWAYS_SEARCHABLE = 100_000
"""Fewer characters than this stay below the limit, whatever they are: a character takes at most 8 bytes of it."""
_TOKEN = re.compile(r"\w+(?:[-./:@~+&=?%#]+\w+)*")


class Sizes:
    """Checks the sizes of the values of one entity type."""

    def __init__(self, of: EntityType) -> None:
        self._of = of
        self._limits = [(field.name, limit) for field in of.stored if (limit := field.indexed_characters) is not None]
        self._paths = {field.name: field.get(FromMetadata) for field in of.fields if field.has(FromMetadata)}
        self._searched = [field.name for field in of.searched]

    def check(self, values: Mapping[str, Any]) -> None:
        """Raises `TooLarge`, with the field at fault, for a value that an index would reject."""
        for name, limit in self._limits:
            _check(name, name, values.get(name), limit)
        if self._paths and (metadata := values.get("metadata")):
            found = derived(self._of, metadata)
            for name, source in self._paths.items():
                if source is not None:
                    _check(f"metadata.{source.path}", name, found[name], source.max_length)
        self._check_words({name: _text(values.get(name)) for name in self._searched})

    def field_of(self, index: str) -> str | None:
        """Returns the field in an index that rejected a value; PostgreSQL names indexes after their columns."""
        fields = [*self._paths, *(name for name, _ in self._limits)]
        return next((name for name in fields if f"_{self._of.by_name[name].column}_" in index), None)

    def _check_words(self, texts: Mapping[str, str]) -> None:
        if sum(map(len, texts.values())) <= ALWAYS_SEARCHABLE:
            return
        sizes = {name: vector_bytes(text) for name, text in texts.items()}
        if sum(sizes.values()) >= VECTOR_BYTES:
            field = max(sizes, key=sizes.__getitem__)
            problem = f"{field} has too many different words to be searched."
            raise TooLarge(field=field, problem=problem, hint="Divide the text, or shorten it.")


def vector_bytes(text: str) -> int:
    """Estimates how much of the limit a text takes: each word once, and two bytes for each place of a word.

    Words that are joined by hyphens, and addresses, are stored as a whole and in parts.
    """
    words = _TOKEN.findall(text[:SEARCHED_CHARACTERS])
    return 2 * len(words) + sum(_word_bytes(word) for word in set(words))


def _word_bytes(word: str) -> int:
    size = len(word.encode(errors="replace"))
    parts = 0 if word.isalnum() else len(re.split(r"\W+", word))
    return size + 4 if not parts else 2 * size + 4 * (parts + 1)


def _check(field: str, name: str, value: Any, characters: int) -> None:
    # A character takes at most 4 bytes, so that short values need not be encoded.
    if not isinstance(value, str) or 4 * len(value) <= min(characters, INDEXED_BYTES):
        return
    if len(value) > characters:
        raise TooLarge(field=field, problem=f"{name} must have at most {characters} characters.")
    if len(value.encode(errors="replace")) > INDEXED_BYTES:
        raise TooLarge(field=field, problem=f"{name} must have at most {INDEXED_BYTES} bytes in UTF-8.")


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
