"""Filters of lists: a subset of AIP-160, parsed into SQL over declared fields, with every value as a parameter."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from ovasabi.decimals import to_builtins
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.call.unfit import unfit_in
from ovasabi.kernel.declare.entity import EntityType
from ovasabi.kernel.declare.fields import Field

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<sign><=|>=|!=|=|<|>|:)|(?P<mark>[()])"""
    r"""|(?P<word>[0-9][^\s()<>=!:"']*(?::[^\s()<>=!:"']+)+|[^\s()<>=!:"']+))"""  # a bare time holds colons
)
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_TIMES = {"created_at": datetime, "updated_at": datetime}
_SIGNS = {"=": "=", "!=": "IS DISTINCT FROM", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
MAX_LENGTH = 2_000
HINT = 'For example: state = "published" AND created_at >= "2026-01-01T00:00:00Z".'


class Condition(msgspec.Struct, frozen=True):
    """A condition in SQL, to be appended to a WHERE clause, and its parameters in order."""

    sql: str
    values: tuple[Any, ...]


def parse_filter(of: EntityType, text: str, first: int) -> Condition:
    """Returns the SQL of a filter on an entity's filterable fields; its parameters are numbered from `first`.

    Comparisons (= != < <= > >=, and : for an element of a list), AND, OR, NOT and parentheses; AND binds tighter.
    """
    if not text.strip():
        return Condition("", ())
    if len(text) > MAX_LENGTH:
        raise _wrong(f"A filter can have at most {MAX_LENGTH} characters.")
    if (unfit := unfit_in(text)) is not None:
        raise _wrong(f"A filter must not contain the character {unfit}.")
    parser = _Parser(of, _tokens(text), first)
    sql = parser.either()
    if parser.rest:
        raise _wrong(f"Expected AND or OR in the filter, found {parser.rest[0][1]!r}.")
    return Condition(f" AND ({sql})", tuple(parser.values))


def filter_of(template: str, *values: Any) -> str:
    """Returns a filter with a value for each {} of a template: `filter_of("author_id = {} AND state = {}", id, state)`.

    Whatever the values contain, they remain values; None stands for fields without a value.
    """
    parts = template.split("{}")
    if len(parts) != len(values) + 1:
        raise TypeError(f"The filter {template!r} has {len(parts) - 1} {{}} for {len(values)} values.")
    return "".join(part + value for part, value in zip(parts, [*map(_written, values), ""], strict=True))


def _written(value: Any) -> str:
    if value is None:
        return "null"
    text = re.sub(r'(["\\])', r"\\\1", value if isinstance(value, str) else str(to_builtins(value)))
    return f'"{text}"'


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _wrong(f"The filter cannot be parsed at {text[position:].strip()[:20]!r}.")
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind]))
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, of: EntityType, tokens: list[tuple[str, str]], first: int) -> None:
        self.of, self.rest, self.first = of, tokens, first
        self.values: list[Any] = []
        self.depth = 0

    def either(self) -> str:
        """Parses terms joined by OR."""
        terms = [self.both()]
        while self._accept("or"):
            terms.append(self.both())
        return " OR ".join(terms)

    def both(self) -> str:
        """Parses terms joined by AND."""
        terms = [self.single()]
        while self._accept("and"):
            terms.append(self.single())
        return " AND ".join(terms)

    def single(self) -> str:
        """Parses a comparison, NOT before a term, or a filter in parentheses."""
        if self._accept("not"):
            return f"NOT ({self.single()})"
        if self.rest and self.rest[0] == ("mark", "("):
            self.depth += 1
            if self.depth > 20:
                raise _wrong("The filter has too many parentheses.")
            self._take("mark")
            inner = self.either()
            if self._take("mark") != ")":
                raise _wrong("A parenthesis in the filter is not closed.")
            return f"({inner})"
        return self._comparison()

    def _comparison(self) -> str:
        name = self._take("word")
        sign = self._take("sign")
        if not self.rest or self.rest[0][0] not in ("string", "word"):
            raise _wrong(f"The filter has no value for {name}.")
        kind, text = self.rest.pop(0)
        value = re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "string" else text
        field = self.of.by_name.get(name)
        if field is not None and field.is_list:
            return self._element(field, sign, value)
        column, base = filtered_column(self.of, name)
        if sign == ":":
            sign = "="
        if kind == "word" and value == "null" and sign in ("=", "!="):
            return f"s.{column} IS {'NOT ' if sign == '!=' else ''}NULL"
        return f"s.{column} {_SIGNS[sign]} {self._parameter(name, value, base)}"

    def _element(self, field: Field, sign: str, value: str) -> str:
        if sign not in (":", "=") or not field.filterable:
            raise _wrong(f"{field.name} is a list: match an element with {field.name}:value.")
        self.values.append(value)
        return f"${self.first + len(self.values) - 1}::text = ANY (s.{field.column})"

    def _parameter(self, name: str, value: str, base: Any) -> str:
        if base is Decimal and not _DECIMAL.fullmatch(value):
            raise _wrong(f"{value!r} is not a valid value for {name}.")
        try:
            # Not strict, so that a word can be a number; a timestamp is strict, or a number would be taken for seconds.
            converted = msgspec.convert(value, base, strict=base is datetime)
        except (msgspec.ValidationError, ValueError) as error:
            raise _wrong(f"{value!r} is not a valid value for {name}.") from error
        if isinstance(converted, datetime) and converted.tzinfo is None:
            raise _wrong(f"{value!r} has no time zone: add Z or an offset.")
        if isinstance(converted, int) and not -(1 << 63) <= converted < 1 << 63:
            raise _wrong(f"{value!r} is out of range for {name}.")
        self.values.append(converted.value if hasattr(converted, "value") else converted)
        return f"${self.first + len(self.values) - 1}"

    def _accept(self, word: str) -> bool:
        if self.rest and self.rest[0][0] == "word" and self.rest[0][1].lower() == word:
            self.rest.pop(0)
            return True
        return False

    def _take(self, kind: str) -> str:
        if not self.rest or self.rest[0][0] != kind:
            found = repr(self.rest[0][1]) if self.rest else "the end"
            expected = {"word": "a field", "sign": "a comparison operator", "mark": "a parenthesis"}[kind]
            raise _wrong(f"Expected {expected} in the filter, found {found}.")
        return self.rest.pop(0)[1]


def filtered_column(of: EntityType, name: str) -> tuple[str, Any]:
    """Returns the column and type of a filterable field; otherwise raises an error that lists the filterable fields."""
    if name in _TIMES:
        return name, _TIMES[name]
    if name == "id":
        return "master_id", int
    field = of.by_name.get(name)
    if field is None or not field.filterable:
        allowed = ", ".join(sorted(["id", *_TIMES, *(f.name for f in of.fields if f.filterable)]))
        raise InvalidValue(
            field="filter", problem=f"{of.name} cannot be filtered by {name!r}.", hint=f"Allowed: {allowed}."
        )
    return field.column, field.base


def _wrong(problem: str) -> InvalidValue:
    return InvalidValue(field="filter", problem=problem, hint=HINT)
