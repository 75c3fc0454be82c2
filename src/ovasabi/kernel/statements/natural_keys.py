"""Natural keys: values that must be unique in a campaign, as SQL."""

import msgspec

from ovasabi.kernel.declare.fields import Field, Unique


class Key(msgspec.Struct, frozen=True):
    """A natural key: its name (its field, or its fields joined by +) and its parts."""

    name: str
    parts: tuple[Field, ...]

    def value(self, row: str) -> str:
        """Returns the SQL of the key's text for a row of the entity's own type."""
        texts = (
            f"lower({row}.{p.column})" if (u := p.get(Unique)) and u.fold else f"{row}.{p.column}::text"
            for p in self.parts
        )
        return f"key_value({', '.join(texts)})"

    def is_set(self, patch: str) -> str:
        """Returns the SQL for whether a patch sets it. Only keys of one field can change: the others are immutable."""
        return f"{patch} ? '{self.parts[0].column}'"

    @property
    def column_suffix(self) -> str:
        """Its name as used in column names. No field's name contains two underscores in a row."""
        return self.name.replace("+", "__")
