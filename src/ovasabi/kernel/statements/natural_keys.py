"""Natural keys: what of a row must be unique in its campaign, as SQL."""

import msgspec

from ovasabi.kernel.declare.fields import Field, Unique


class Key(msgspec.Struct, frozen=True):
    """A natural key: the field (or fields, joined by +) that it is named after, and its parts."""

    name: str
    parts: tuple[Field, ...]

    def value(self, row: str) -> str:
        """The SQL of the key's text, from a row of the entity's own type."""
        texts = (
            f"lower({row}.{p.column})" if (u := p.get(Unique)) and u.fold else f"{row}.{p.column}::text"
            for p in self.parts
        )
        return f"key_value({', '.join(texts)})"

    def touched(self, patch: str) -> str:
        """Whether a patch sets it. Only keys of one field can change: the parts of the others are immutable."""
        return f"{patch} ? '{self.parts[0].column}'"

    @property
    def plain(self) -> str:
        """Its name as a part of column names."""
        return self.name.replace("+", "_")
