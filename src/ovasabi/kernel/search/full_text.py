"""Full-text search of one entity type or all, in one campaign: web syntax, prefixes, and tolerance of typing errors."""

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.database.connection import Database, Row
from ovasabi.database.pools import Pool
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import PLATFORM, current_campaign
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import Scope, declared
from ovasabi.kernel.statements.reading import ReadStatements

CANDIDATES = 200
"""The maximum number of matches per type that are ranked, in addition to those with the words in their name."""
MAX_LENGTH = 500

_SQL = load(__file__)
_TOKEN = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


class Terms(msgspec.Struct, frozen=True):
    """A parsed query: the terms that must match and those that must not, as tsquery text.

    `words` has, for each required term, the word if it is a single bare word.
    """

    required: list[str]
    words: list[str | None]
    excluded: list[str]
    whole: str | None = None
    """The last required term as a whole word, if it is a prefix in `required` only because it may be incomplete."""


class Hit(msgspec.Struct, frozen=True):
    """One entity that matches."""

    type: str
    id: int
    rank: Annotated[float, Meta(description="How well the entity matches; comparable within one response.")]


class Hits(msgspec.Struct, frozen=True):
    """The matches, best first, and the number found of each type (200 means at least 200)."""

    hits: list[Hit]
    facets: dict[str, int]
    corrected: Annotated[
        bool, Meta(description="Whether typing errors were corrected because nothing matched exactly.")
    ]


async def search_rows(database: Database, sql: ReadStatements, query: str, limit: int) -> list[Row]:
    """Searches one type; returns the rows of the matches, with `_rank`, `_matched` and `_corrected`, best first."""
    rows = await _run_search(database, sql.search, query, [sql.of.name], limit)
    return sorted(rows, key=lambda row: (-row["_rank"], -row["id"]))


async def search(database: Database, query: str, *, types: Sequence[str] | None = None, limit: int = 20) -> Hits:
    """Searches the context's campaign for words, "phrases", -exclusions, OR and prefix*; completes the last word."""
    names = searchable_types(current_campaign()) if types is None else list(types)
    for name in names:
        if name not in declared or not declared[name].searched:
            allowed = ", ".join(searchable_types(current_campaign()))
            raise InvalidValue(field="types", problem=f"{name!r} cannot be searched.", hint=f"Allowed: {allowed}.")
    rows = await _run_search(database, _SQL["search"], query, names, limit)
    hits = sorted(
        (Hit(row["type"], row["master_id"], row["rank"]) for row in rows), key=lambda hit: (-hit.rank, -hit.id)
    )
    facets = {row["type"]: min(row["matched"], CANDIDATES) for row in rows}
    return Hits(hits[:limit], facets, any(row["corrected"] for row in rows))


async def _run_search(database: Database, sql: str, query: str, names: list[str], limit: int) -> list[Row]:
    if not 1 <= limit <= 100:
        raise InvalidValue(field="page_size", problem="page_size must be between 1 and 100.")
    terms, campaign = parse_query(query), current_campaign()
    return await read(
        database, sql, scope_of(campaign), campaign, names, terms.required, terms.words, terms.excluded, terms.whole,
        limit, CANDIDATES, pool=Pool.READ_PLANNED,
    )  # fmt: skip


def searchable_types(campaign: int) -> list[str]:
    """Returns the names of the types with searchable fields that may exist in the campaign, or on the platform."""
    other = Scope.CAMPAIGN if campaign == PLATFORM else Scope.GLOBAL
    return sorted(of.name for of in declared.values() if of.searched and of.scope is not other)


def names_in(text: str) -> list[str] | None:
    """Returns the names in a comma-separated list of types; None, which means all types, if it has none."""
    return [name.strip() for name in text.split(",") if name.strip()] or None


def parse_query(text: str) -> Terms:
    """Parses a query. Any text is valid syntax; raises `InvalidValue` if it is too long or has no required word."""
    if len(text) > MAX_LENGTH:
        raise InvalidValue(field="q", problem=f"A query can have at most {MAX_LENGTH} characters.")
    required: list[str] = []
    words: list[str | None] = []
    excluded: list[str] = []
    whole: str | None = None
    joined = False
    tokens = list(_TOKEN.finditer(text.replace("\0", " ")))
    for index, token in enumerate(tokens):
        minus, phrase, bare = token.groups()
        if bare is not None and bare.upper() == "OR" and bare.isupper() and required:
            joined = True
            continue
        last = index == len(tokens) - 1 and bare is not None and not text[-1:].isspace()
        term, word = _term(phrase, bare, last)
        if last and not minus and not joined and not str(bare).endswith("*"):
            whole, _ = _term(phrase, bare, False)
        if term is None:
            continue
        if minus:
            excluded.append(term)
        elif joined:
            required[-1], words[-1] = f"{required[-1]} | {term}", None
        else:
            required.append(term)
            words.append(word)
        joined = False
    if not required:
        raise InvalidValue(
            field="q", problem="The query contains no word to search for.", hint="For example: q=asynchronous."
        )
    return Terms(required, words, excluded, whole)


def _term(phrase: str | None, bare: str | None, last: bool) -> tuple[str | None, str | None]:
    """Returns a token as tsquery text with quoted lexemes, and its word if typing errors in it may be corrected."""
    if phrase is not None:
        lexemes = re.findall(r"\w+", phrase)
        return (f"({' <-> '.join(_quoted(lexeme) for lexeme in lexemes)})" if lexemes else None), None
    lexemes = re.findall(r"\w+", bare or "")
    if not lexemes:
        return None, None
    prefix = last or (bare or "").endswith("*")
    if len(lexemes) > 1:
        parts = [_quoted(lexeme) for lexeme in lexemes]
        return f"({' & '.join(parts)}{':*' if prefix else ''})", None
    word = lexemes[0].lower()
    return f"{_quoted(word)}{':*' if prefix else ''}", word


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
