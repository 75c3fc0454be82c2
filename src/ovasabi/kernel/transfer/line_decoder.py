"""Decodes a line into a new entity, typed by its declaration, with a key that makes importing it again a no-op."""

import hashlib
import sqlite3
import typing
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.call.input_errors import explained
from ovasabi.kernel.call.json_values import TOO_MANY, has_too_many_values
from ovasabi.kernel.call.unfit import fault_of
from ovasabi.kernel.declare.entity import EntityType
from ovasabi.kernel.declare.fields import Field, Secret
from ovasabi.kernel.declare.metadata import MAX_DEPTH
from ovasabi.kernel.declare.state_machine import why_not_set
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.kernel.transfer.lines import Line, NotImportable, not_utf8
from ovasabi.suggestions import nearest

MAX_KEY = 200
MAX_COLUMNS = 1_000
_encode = msgspec.json.Encoder(order="deterministic").encode


class LineDecoder:
    """Decodes the lines of one file. `key_field` is the field, or an extra field, that identifies a line."""

    def __init__(self, of: EntityType, key_field: str | None) -> None:
        self.of = of
        self.fields = of.draft.__struct_fields__
        self._key_field = key_field
        self._typed = msgspec.json.Decoder(of.draft)
        self._forms = of.forms_of(of.draft)
        self._raw = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._secrets = [field.name for field in of.stored if field.has(Secret)]
        if key_field in self._secrets:
            problem = f"{key_field} is secret and cannot identify a line, because what identifies one is stored."
            raise NotImportable(problem=problem, hint="Choose another field, or none.")
        self._ordinals = _Ordinals()
        self._header: list[list[str]] | None = None

    def from_json(self, line: Line) -> NewEntity:
        """Returns the new entity of a line of JSON; raises `InvalidValue` with the invalid field."""
        if problem := line.problem or not_utf8(line.raw):
            raise InvalidValue(problem=problem)
        if has_too_many_values(line.raw):
            raise InvalidValue(problem=f"The line {TOO_MANY}.")
        key, text = None, line.raw
        try:
            if self._key_field is not None:
                values = self._raw.decode(text)
                key = values.get(self._key_field)
                key = None if key is None else msgspec.json.decode(key)
                if self._key_field not in self.fields:
                    values.pop(self._key_field, None)
                    text = msgspec.json.encode(values)
            draft = self._typed.decode(text)
            if self._forms is not None:
                msgspec.json.decode(text, type=self._forms)
        except msgspec.MsgspecError as error:
            if not isinstance(error, msgspec.ValidationError) and (fault := fault_of(line.raw)) is not None:
                raise InvalidValue(problem=f"The line is {fault}.") from None
            raise self._invalid(error) from None
        return self._new_entity(draft, key)

    def read_header(self, line: Line) -> None:
        """Reads the header of a CSV; raises `NotImportable` if a column is not a field that can be imported."""
        if line.problem:
            raise NotImportable(problem=line.problem)
        columns = [cell.strip() for cell in line.cells or []]
        if len(columns) > MAX_COLUMNS:
            raise NotImportable(problem=f"The CSV has {len(columns)} columns; it can have at most {MAX_COLUMNS}.")
        times, outer = Counter(columns), {part for column in columns for part in _outer(column)}
        for position, column in enumerate(columns, 1):
            if not column:
                raise NotImportable(problem=f"Column {position} of the CSV header has no name.")
            if times[column] > 1:
                raise NotImportable(problem=f"The CSV header contains {column} twice.")
            if column in outer:
                raise NotImportable(problem=f"The CSV header contains {column} and a part of it.")
            if column != self._key_field:
                self._check_column(column)
        if self._key_field is not None and self._key_field not in columns:
            raise NotImportable(problem=f"The CSV has no column {self._key_field}, as required by --key.")
        self._header = [column.split(".") if column != self._key_field else [column] for column in columns]

    def from_csv(self, line: Line) -> NewEntity:
        """Returns the new entity of a CSV record; the header must have been read before."""
        header, cells = self._header or [], line.cells or []
        if line.problem:
            raise InvalidValue(problem=line.problem)
        if len(cells) != len(header):
            raise InvalidValue(problem=f"The record has {len(cells)} cells, but the header has {len(header)} columns.")
        values: dict[str, Any] = {}
        for path, cell in zip(header, cells, strict=True):
            if cell != "":
                _put(values, path, self._cell(path, cell))
        key = values.get(self._key_field) if self._key_field is not None else None
        if self._key_field not in self.fields:
            values.pop(self._key_field or "", None)
        try:
            draft = msgspec.convert(values, self.of.draft, strict=False)
            if self._forms is not None:  # which do not know that a cell with `null` is a field without a value
                given = {name: value for name, value in values.items() if getattr(draft, name, None) is not None}
                msgspec.convert(given, self._forms)
            return self._new_entity(draft, key)
        except msgspec.ValidationError as error:
            raise self._invalid(error, of_text=True) from None

    def _cell(self, path: list[str], cell: str) -> Any:
        """Returns a cell as input for `convert`: a list from `a;b` or JSON, an object from JSON, else its text."""
        field = self.of.by_name.get(path[0])
        whole = len(path) == 1
        lists = whole and field is not None and field.is_list
        json = whole and (path[0] == "metadata" or (field is not None and field.sql_type == "jsonb"))
        if json or (lists and cell.lstrip().startswith("[")):
            if has_too_many_values(cell):
                raise InvalidValue(field=path[0], problem=f"{path[0]}: the cell {TOO_MANY}.")
            try:
                return msgspec.json.decode(cell)
            except msgspec.MsgspecError as error:
                raise InvalidValue(field=path[0], problem=f"{path[0]}: the cell {explained(error).problem}.") from None
        return [part.strip() for part in cell.split(";") if part.strip()] if lists else cell

    def _check_column(self, column: str) -> None:
        name, dot, _ = column.partition(".")
        field = self.of.by_name.get(name)
        if name not in self.fields:
            if (why := why_not_set(self.of, name, changing=False)) is not None:
                raise NotImportable(problem=f"The CSV has the column {column}. {why[0]}", hint=why[1])
            near = nearest(name, self.fields)
            hint = f"Did you mean {near}?" if near else f"Allowed: {', '.join(self.fields)}."
            raise NotImportable(problem=f"The CSV column {column} is not a field of {self.of.name}.", hint=hint)
        if dot and not _is_object(name, field):
            raise NotImportable(problem=f"The CSV column {column} is not valid: {name} has no parts.")
        if column.count(".") > MAX_DEPTH:
            raise NotImportable(problem=f"The CSV column {column} has more than {MAX_DEPTH} parts.")

    def _new_entity(self, draft: msgspec.Struct, key: Any) -> NewEntity:
        values = {name: value for name, value in msgspec.structs.asdict(draft).items() if value is not UNSET}
        return NewEntity(values, self._explicit_key(key) if self._key_field is not None else self._derived_key(values))

    def _explicit_key(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
            name = self._key_field
            raise InvalidValue(field=name, problem=f"{name}: the key of the line must be a string or a number.")
        key = f"import:{self.of.name}:{value}"
        return (
            key if len(key) <= MAX_KEY else f"import:{self.of.name}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"
        )

    def _derived_key(self, values: Mapping[str, Any]) -> str:
        """Derives the key from the content of the line and the number of equal lines before it in the file.

        So equal lines get different keys, and a second import of the file gets the same ones. Secrets are left out,
        because the database would store a fast hash of them.
        """
        public = {name: value for name, value in values.items() if name not in self._secrets}
        digest = hashlib.sha256(_encode([self.of.name, public]))
        ordinal = self._ordinals.next(digest.digest()[:16])
        digest.update(str(ordinal).encode())
        return f"import:{self.of.name}:{digest.hexdigest()}"

    def _invalid(self, error: msgspec.MsgspecError, *, of_text: bool = False) -> InvalidValue:
        """Returns the error for the user: the invalid field, and the field that was probably meant."""
        found = explained(error, of_text=of_text)
        if found.missing is None and found.unknown is None:
            return InvalidValue(field=found.path or None, problem=found.sentence("the line"))
        last = found.missing or found.unknown or ""
        name = f"{found.path}.{last}" if found.path else last
        if found.missing is not None:
            return InvalidValue(field=name, problem=f"{name}: the field is required.")
        if not found.path and (why := why_not_set(self.of, last, changing=False)) is not None:
            return InvalidValue(field=name, problem=" ".join(why))
        near = nearest(last, self.fields)
        meant = f" Did you mean {near}?" if near else ""
        return InvalidValue(field=name, problem=f"{name}: not a field of {self.of.name}.{meant}")


class _Ordinals:
    """Counts equal lines, in a temporary SQLite database that spills to disk once it outgrows its cache."""

    def __init__(self) -> None:
        self._seen = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._seen.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384;"
            "CREATE TABLE seen (content BLOB PRIMARY KEY, times INT NOT NULL) WITHOUT ROWID; BEGIN"
        )

    def next(self, content: bytes) -> int:
        """Returns how often this content has occurred, including this time."""
        (times,) = self._seen.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT (content) DO UPDATE SET times = times + 1 RETURNING times",
            (content,),
        ).fetchone()
        return int(times)


def _outer(column: str) -> list[str]:
    """Returns what a column is a part of: a and a.b for a.b.c. Of too many parts, only the outermost."""
    parts = column.split(".", MAX_DEPTH)
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _is_object(name: str, field: Field | None) -> bool:
    return name == "metadata" or (field is not None and typing.get_origin(field.base) is dict)


def _put(values: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value
