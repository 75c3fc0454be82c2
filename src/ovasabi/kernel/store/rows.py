"""The rows that a repository creates and changes: as callers pass them, and as statements take them."""

from collections.abc import Mapping
from typing import Any

import msgspec


class NewEntity(msgspec.Struct, frozen=True):
    """One row to create: its values by field, and the client's idempotency key, if any.

    `number` and `shard` are those of a new campaign's entry in the directory; they have no meaning for other entities.
    """

    values: Mapping[str, Any]
    key: str | None = None
    number: int | None = None
    shard: int | None = None


class Change(msgspec.Struct, frozen=True):
    """One row to change: its id, what to set (or add), and the version that the caller expects, if any."""

    id: int
    values: Mapping[str, Any] = {}
    expected_version: int | None = None


class NewRow(msgspec.Struct, frozen=True):
    """A new row, ready to be written, with everything that its statement and its event need."""

    campaign: int
    data: str
    key: str | None
    digest: bytes | None
    event_type: str
    actor: str
    correlation_id: str | None
    causation_id: int | None
    parent: int | None = None
    """The id of the parent that counts the row, if any."""


class ChangedRow(msgspec.Struct, frozen=True):
    """A changed row, ready to be written, with everything that its statement and its event need."""

    campaign: int
    id: int
    expected: int | None
    data: str
    event_type: str
    actor: str
    correlation_id: str | None
    causation_id: int | None
