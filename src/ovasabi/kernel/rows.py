"""Rows on their way into a repository: to create, to change, and made ready."""

from collections.abc import Mapping
from typing import Any

import msgspec


class Draft(msgspec.Struct, frozen=True):
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
    """A draft made ready to be written."""

    draft: Draft
    values: Mapping[str, Any]
    encoded: str
    digest: bytes | None
