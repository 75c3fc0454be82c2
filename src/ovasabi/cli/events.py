"""`ovasabi events`: begins a new epoch of the event log by hand, for moves that OVASABI cannot detect."""

import asyncio

import click

from ovasabi.cli.connect import resource, say
from ovasabi.settings import Settings, load_settings


@click.group()
def events() -> None:
    """Administer the event log."""


@events.command("new-epoch")
@click.option("--reason", required=True, help="Why, for the record in the table log_epoch.")
def new_epoch(reason: str) -> None:
    """Begin a new epoch of the event log.

    Every start does so by itself if the database is on another server, was restored or was copied. Only a copy of the
    files of a server cannot be told from the original: run this on one of the two before it is used.
    """
    epoch = asyncio.run(_begin(load_settings(), reason[:500]))
    say(f"The event log is in epoch {epoch}; consumers continue with their cursors.")


async def _begin(settings: Settings, reason: str) -> int:
    from ovasabi.lifecycle import log_epochs

    async with resource(settings, start=True) as url:
        return await log_epochs.begin(url, reason)
