"""`ovasabi keys`: creates, lists and revokes API keys; a key is shown only once, on standard output."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from ovasabi.cli.connect import campaign_number, open_database, say
from ovasabi.settings import Settings, load_settings

if TYPE_CHECKING:
    from ovasabi.security.keys import ApiKey

ROLES = ("reader", "writer", "admin")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
COLUMNS = ("prefix", "name", "campaign", "role", "created", "expires", "state")


def moment(context: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    """Parses a duration from now (`30d`, `12h`) or an ISO 8601 date or time, in UTC unless it names a time zone."""
    if text is None:
        return None
    try:
        if match := re.fullmatch(r"([0-9]{1,5})([mhdw])", text):
            at = datetime.now(UTC) + timedelta(**{UNITS[match[2]]: int(match[1])})
        else:
            at = datetime.fromisoformat(text)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    except (ValueError, OverflowError):
        expected = "a duration such as 30d, 12h or 45m, or a date such as 2030-12-31"
        raise click.BadParameter(f"{text!r} is not valid; expected {expected}.") from None
    if at <= datetime.now(UTC):
        raise click.BadParameter(f"{text!r} is not in the future.")
    return at


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), required=True, help="The role of the key; each role includes the previous ones."
)
@click.option("--campaign", metavar="SLUG|NUMBER", help="Limit the key to a campaign. If omitted, the whole platform.")
@click.option("--expires", metavar="30d|12h|DATE", callback=moment, help="When the key expires. If omitted, never.")
def create(name: str, role: str, campaign: str | None, expires: datetime | None) -> None:
    """Create a key and print it.

    The key cannot be shown again: only a digest of it is stored.
    """
    click.echo(asyncio.run(_create(load_settings(), name, role, campaign, expires)))


@keys.command("list", short_help="List all keys, without their secrets.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def list_(as_json: bool) -> None:
    """List all keys, including expired and revoked ones, without their secrets."""
    rows = asyncio.run(_list(load_settings()))
    click.echo(json.dumps(rows, indent=2) if as_json else _table(rows))


@keys.command()
@click.argument("prefix")
def revoke(prefix: str) -> None:
    """Revoke the key with the given PREFIX, as shown by `keys list`.

    Running processes stop accepting it within a second.
    """
    asyncio.run(_revoke(load_settings(), prefix))
    say("The key was revoked.")


async def _create(settings: Settings, name: str, role: str, campaign: str | None, expires: datetime | None) -> str:
    from ovasabi.kernel.call.context import PLATFORM, Role
    from ovasabi.kernel.service import ServiceRegistry
    from ovasabi.security.keys import create_key

    async with open_database(settings, start=True) as database:
        number = PLATFORM if campaign is None else await campaign_number(ServiceRegistry(database), campaign)
        key = await create_key(database.url, name, Role(role), campaign_id=number, expires_at=expires)
    where = "the whole platform" if campaign is None else f"the campaign {campaign}"
    until = f", until {expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if expires is not None else ""
    say(f"Created a key for {where} with the role {role}{until}. It will not be shown again:")
    return key


async def _list(settings: Settings) -> list[dict[str, Any]]:
    from ovasabi.security.keys import list_keys

    async with open_database(settings, start=True) as database:
        return [_row(key) for key in await list_keys(database.url)]


async def _revoke(settings: Settings, prefix: str) -> None:
    from ovasabi.security.keys import revoke_key

    async with open_database(settings, start=True) as database:
        await revoke_key(database.url, prefix)


def _row(key: "ApiKey") -> dict[str, Any]:
    expired = key.expires_at is not None and key.expires_at <= datetime.now(UTC)
    return {
        "prefix": key.prefix,
        "name": key.name,
        "campaign": key.campaign_id or None,
        "role": key.role,
        "created": key.created_at.isoformat(timespec="seconds"),
        "expires": key.expires_at.isoformat(timespec="seconds") if key.expires_at else None,
        "state": "revoked" if key.revoked_at else "expired" if expired else "active",
    }


def _table(rows: list[dict[str, Any]]) -> str:
    """Formats aligned columns; null is shown as `platform` for the campaign, and as `never` for the expiry."""
    nulls = {"campaign": "platform", "expires": "never"}
    cells = [COLUMNS, *(tuple(str(nulls.get(c) if row[c] is None else row[c]) for c in COLUMNS) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
