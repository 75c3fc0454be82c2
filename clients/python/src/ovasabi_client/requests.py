"""A request before it is sent: where to, with what, and what its answer is; the same for both clients."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET

T = TypeVar("T")

Reference = int | str | UUID
"""An entity by its id or its uuid."""


class Request(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One request, and the type of its answer. Values that are UNSET are not sent; None is null in a body."""

    method: str
    path: str
    answer: type[T]
    query: Mapping[str, Any] = {}
    body: Mapping[str, Any] | None = None
    expected_version: int | None = None
    idempotency_key: str | None = None
    items: str | None = None
    """The name under which the answer holds the entities of a page."""

    @property
    def repeatable(self) -> bool:
        """Whether it does no harm to send it again, if it is not known what became of it."""
        return self.method == "GET" or self.idempotency_key is not None

    @property
    def headers(self) -> dict[str, str]:
        """Its own headers."""
        headers = {"accept": "application/json"}
        if self.body is not None:
            headers["content-type"] = "application/json"
        if self.expected_version is not None:
            headers["if-match"] = f'"{self.expected_version}"'
        if self.idempotency_key is not None:
            headers["idempotency-key"] = self.idempotency_key
        return headers

    @property
    def parameters(self) -> dict[str, str]:
        """The query as text, without what has no value."""
        return {name: _text(value) for name, value in self.query.items() if value is not UNSET and value is not None}

    @property
    def content(self) -> bytes | None:
        """The body as JSON."""
        if self.body is None:
            return None
        return msgspec.json.encode({name: value for name, value in self.body.items() if value is not UNSET})

    def asking(self, name: str, value: Any) -> "Request[T]":
        """The same request with another value in its query."""
        return msgspec.structs.replace(self, query={**self.query, name: value})


class Paging(msgspec.Struct, frozen=True):
    """How pages follow each other: where one holds its items and the token of the next, and who takes that token."""

    items: str
    token: str
    parameter: str


def new_key() -> str:
    """A new idempotency key."""
    return uuid4().hex


def checked_key(key: str) -> str:
    """An API key that can be sent; the error holds nothing of one that cannot."""
    key = key.strip()
    if not (key and key.isascii() and key.isprintable() and " " not in key):
        raise ValueError("The key is not an API key: those begin with ovk_, and are one word.")
    return key


def part(value: Reference) -> str:
    """A reference as one part of a path."""
    return quote(str(value), safe="")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value.value if isinstance(value, Enum) else value)
