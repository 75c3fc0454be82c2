"""Rows on their way into a repository: to create, to change, and made ready."""

from collections.abc import Mapping
from typing import Any

import msgspec


class NewEntity(msgspec.Struct, frozen=True):
    """One row to create: its values by field, and the client's idempotency key if it gave one.

    `number` is for a campaign whose number was reserved beforehand; it has no meaning for anything else.
    """

    values: Mapping[str, Any]
    key: str | None = None
    number: int | None = None


class Change(msgspec.Struct, frozen=True):
    """One row to change: its id, what to set (or add), and the version that the caller expects, if any."""

    id: int
    values: Mapping[str, Any] = {}
    expected_version: int | None = None


class NewRow(msgspec.Struct, frozen=True):
    """A draft made ready to be written, with all that its statement needs to know of it and of who makes it."""

    campaign: int
    data: str
    key: str | None
    digest: bytes | None
    event_type: str
    actor: str
    correlation_id: str | None
    causation_id: int | None
    parent: int | None = None
    """What counts it, if anything does."""


class ChangedRow(msgspec.Struct, frozen=True):
    """A change made ready to be written, likewise."""

    campaign: int
    id: int
    expected: int | None
    data: str
    event_type: str
    actor: str
    correlation_id: str | None
    causation_id: int | None
