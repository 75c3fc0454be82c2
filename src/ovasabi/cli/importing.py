"""`ovasabi import`: a file of JSON Lines or CSV into a campaign, with progress, rejects, and no fear of Ctrl-C."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ovasabi.cli import INTERRUPTED, tell
from ovasabi.cli.reach import NoSuchCampaign, campaign_number, open_database, say
from ovasabi.errors import OvasabiError
from ovasabi.settings import Settings, load_settings

if TYPE_CHECKING:
    from ovasabi.cli.progress import Progress
    from ovasabi.database.connection import Database
    from ovasabi.kernel.context import Context
    from ovasabi.lifecycle.importing import Importer

REJECTED, USAGE = 1, 2


class Order(click.Command):
    """What was asked for."""


@click.command("import")
@click.argument("plural", metavar="TYPE")
@click.argument("file", metavar="FILE")
@click.option("--campaign", metavar="SLUG|NUMBER", help="Where to; not for global types, such as users.")
@click.option("--format", "format_", type=click.Choice(["jsonl", "csv"]), help="Else by the file's name; jsonl for -.")
@click.option("--rejects", type=click.Path(path_type=Path, dir_okay=False), help="Where rejected lines go.")
@click.option("--key", "key_field", metavar="FIELD", help="The field, or an extra one, that tells the lines apart.")
@click.option("--batch", type=click.IntRange(1, 5_000), default=500, show_default=True, help="Rows a statement.")
@click.pass_context
def import_(context: click.Context, plural: str, file: str, **options: object) -> None:
    """Import FILE (- is standard input) as entities of TYPE, in the plural: contents, products, users.

    Lines that are wrong go to the reject file, with the reason; all others go in. An import that was broken off can
    be run again: what is in already stays single. The exit code is 0 if all went in, 1 if some were rejected.
    """
