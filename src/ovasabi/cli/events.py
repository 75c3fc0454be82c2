"""`ovasabi events`: begins a new epoch of the event log by hand, for moves that OVASABI cannot detect."""

import click

from ovasabi.cli.connect import resource, say
from ovasabi.cli.interruption import run
from ovasabi.settings import Settings, load_settings

MAX_REASON = 500
"""As long as the column that it is recorded in."""


def checked(context: click.Context, parameter: click.Parameter, text: str) -> str:
    """Returns the reason as it is recorded: one line of visible characters."""
    text = text.strip()
    if not text:
        raise click.BadParameter("it must not be empty.")
    if len(text) > MAX_REASON:
        raise click.BadParameter(f"it has {len(text):,} characters, but at most {MAX_REASON} are recorded.")
    for number, character in enumerate(text, 1):
        if not character.isprintable():
            problem = f"the character {number} is {character!a}, but only visible characters and spaces are allowed."
            raise click.BadParameter(problem)
    return text


@click.group()
def events() -> None:
    """Administer the event log."""


@events.command("new-epoch")
@click.option("--reason", required=True, callback=checked, help="Why, for the record in the table log_epoch.")
def new_epoch(reason: str) -> None:
    """Begin a new epoch of the event log.

    Every start does so by itself if the database is on another server, was restored or was copied. Only a copy of the
    files of a server cannot be told from the original: run this on one of the two before it is used.
    """
    epoch = run(_begin(load_settings(), reason), "`ovasabi status` shows the epoch that the event log is in")
    say(f"The event log is in epoch {epoch}; consumers continue with their cursors.")


async def _begin(settings: Settings, reason: str) -> int:
    from ovasabi.lifecycle import log_epochs

    async with resource(settings, start=True) as url:
        return await log_epochs.begin(url, reason)
