"""Requests before they are sent, the same for the synchronous and the asynchronous client."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET

T = TypeVar("T")

Reference = int | str | UUID
"""The id or UUID of an entity."""


class Request(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A request and the type of its response. UNSET values are not sent; None is sent as null in a body."""

    method: str
    path: str
    response: type[T]
    query: Mapping[str, Any] = {}
    body: Mapping[str, Any] | None = None
    expected_version: int | None = None
    idempotency_key: str | None = None
    items: str | None = None
    """The name of the list of entities in the response, if it is a page."""

    @property
    def repeatable(self) -> bool:
        """Whether the request can safely be sent again if its outcome is unknown."""
        return self.method == "GET" or self.idempotency_key is not None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of this request, in addition to those of the client."""
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
        """The query parameters as text, without those that have no value."""
        return {name: _text(value) for name, value in self.query.items() if value is not UNSET and value is not None}

    @property
    def content(self) -> bytes | None:
        """The body as JSON."""
        if self.body is None:
            return None
        values = {name: value for name, value in self.body.items() if value is not UNSET}
        return msgspec.json.encode(_plain(msgspec.to_builtins(values, builtin_types=(Decimal,))))

    def with_parameter(self, name: str, value: Any) -> "Request[T]":
        """Returns the same request with another value of a query parameter."""
        return msgspec.structs.replace(self, query={**self.query, name: value})


class Paging(msgspec.Struct, frozen=True):
    """The names of the items and of the next token in a page, and of the parameter that takes the token."""

    items: str
    token: str
    parameter: str


def new_key() -> str:
    """Returns a new idempotency key."""
    return uuid4().hex


def checked_key(key: str) -> str:
    """Returns an API key that can be sent as a header. The error does not contain the key."""
    key = key.strip()
    if not (key and key.isascii() and key.isprintable() and " " not in key):
        raise ValueError("This is not an API key: API keys begin with ovk_ and contain no spaces.")
    return key


def part(value: Reference) -> str:
    """Returns a reference as one segment of a path."""
    return quote(str(value), safe="")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value.value if isinstance(value, Enum) else value)


def _plain(value: Any) -> Any:
    """Returns a value of JSON with its decimals in plain digits: the server does not accept exponents."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
