"""`ovasabi import`: a file of JSON Lines or CSV into a campaign, with progress, rejects, and no fear of Ctrl-C."""

import asyncio
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import click

from ovasabi.cli import INTERRUPTED, tell
from ovasabi.cli.connect import NoSuchCampaign, campaign_number, open_database, say
from ovasabi.settings import Settings, load_settings

if TYPE_CHECKING:
    from ovasabi.kernel.declare.entity import EntityType
    from ovasabi.kernel.service import ServiceRegistry
    from ovasabi.kernel.transfer.importer import Importer

STANDARD_INPUT = "-"
REJECTED, USAGE = 1, 2


@dataclass(frozen=True)
class Order:
    """What was asked for."""

    plural: str
    file: str
    campaign: str | None
    format: Literal["jsonl", "csv"]
    rejects: Path
    key_field: str | None
    batch: int


@click.command("import")
@click.argument("plural", metavar="TYPE")
@click.argument("file", metavar="FILE")
@click.option("--campaign", metavar="SLUG|NUMBER", help="Where to; not for global types, such as users.")
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), help="If the file's name does not end in .csv.")
@click.option("--rejects", type=click.Path(path_type=Path, dir_okay=False), help="Where rejected lines go.")
@click.option("--key", "key_field", metavar="FIELD", help="The field, or an extra one, that tells the lines apart.")
@click.option("--batch", type=click.IntRange(1, 5_000), default=500, show_default=True, help="Rows a statement.")
@click.pass_context
def import_(
    context: click.Context,
    plural: str,
    file: str,
    campaign: str | None,
    kind: Literal["jsonl", "csv"] | None,
    rejects: Path | None,
    key_field: str | None,
    batch: int,
) -> None:
    """Import FILE (- is standard input) as entities of TYPE, in the plural: contents, products, users.

    Lines that are wrong go to the reject file, with the reason; all others go in. An import that was broken off can
    be run again: nothing comes in twice. The exit code is 0 if all is in, 1 if lines were rejected.
    """
    from ovasabi.kernel.transfer.lines import NotImportable

    name = "import" if file == STANDARD_INPUT else file
    order = Order(
        plural=plural,
        file=file,
        campaign=campaign,
        format=kind or ("csv" if name.lower().endswith(".csv") else "jsonl"),
        rejects=rejects or Path(f"{name}.rejects.jsonl"),
        key_field=key_field,
        batch=batch,
    )
    try:
        context.exit(asyncio.run(_import(load_settings(), order)))
    except (NotImportable, NoSuchCampaign) as error:
        tell(str(error), error.hint)
        context.exit(USAGE)


async def _import(settings: Settings, order: Order) -> int:
    from ovasabi.discovery import discover
    from ovasabi.kernel.call.context import acting, system_context
    from ovasabi.kernel.declare.entity import declared
    from ovasabi.kernel.service import ServiceRegistry, service_class
    from ovasabi.kernel.transfer.importer import IN_FLIGHT, Importer, type_named
    from ovasabi.kernel.transfer.reject_file import Rejects

    discover()
    of = declared[type_named(order.plural)]
    _check_campaign(of, order)
    with _opened(order) as (file, size):
        async with open_database(settings, pool=IN_FLIGHT) as database:
            registry = ServiceRegistry(database)
            with acting(system_context("import", await _number(registry, order))):
                importer = Importer(
                    registry.here(service_class(of.name)),
                    Rejects(order.rejects),
                    given_keys=order.key_field is not None,
                    stop=_stop_on_signals(),
                )
                return await _run(importer, of, order, file, size)


async def _run(importer: "Importer", of: "EntityType", order: Order, file: BinaryIO, size: int | None) -> int:
    """Imports, showing how far it is; answers the exit code."""
    from ovasabi.cli.progress import shown
    from ovasabi.kernel.transfer.batches import read_batches
    from ovasabi.kernel.transfer.line_decoder import LineDecoder

    batches = read_batches(file, LineDecoder(of, order.key_field), order.format, order.batch)
    with shown(importer, order.plural, size) as seconds:
        try:
            tally = await importer.run(batches)
        except BaseException:
            if importer.tally.lines:
                say(f"Broken off after {_summary(importer, order, seconds())}. Run it again to go on.")
            raise
    if importer.stopped:
        say(f"Stopped after {_summary(importer, order, seconds())}. Run it again to go on: nothing comes in twice.")
        return INTERRUPTED
    click.echo(_summary(importer, order, seconds()))
    return REJECTED if tally.rejected else 0


def _summary(importer: "Importer", order: Order, seconds: float) -> str:
    tally = importer.tally
    rejected = f"{tally.rejected:,} rejected" + (f" (see {order.rejects})" if tally.rejected else "")
    rate = f"{tally.lines / max(seconds, 0.001):,.0f} rows/s"
    return f"{tally.created:,} created, {tally.present:,} already there, {rejected}, in {seconds:.1f} s, {rate}"


def _check_campaign(of: "EntityType", order: Order) -> None:
    from ovasabi.kernel.transfer.lines import NotImportable

    if of.partitioned and order.campaign is None:
        raise NotImportable(
            problem=f"The {of.plural} belong to a campaign: which?", hint="Name it with --campaign SLUG."
        )
    if not of.partitioned and order.campaign is not None:
        raise NotImportable(problem=f"The {of.plural} belong to no campaign.", hint="Leave --campaign out.")


async def _number(registry: "ServiceRegistry", order: Order) -> int:
    from ovasabi.kernel.call.context import PLATFORM

    return PLATFORM if order.campaign is None else await campaign_number(registry, order.campaign)


@contextmanager
def _opened(order: Order) -> Iterator[tuple[BinaryIO, int | None]]:
    """The file, and its size where it has one."""
    from ovasabi.kernel.transfer.lines import NotImportable

    try:
        if order.file != STANDARD_INPUT and order.rejects.exists() and order.rejects.samefile(order.file):
            raise NotImportable(problem="The file would be its own reject file.", hint="Choose another with --rejects.")
        descriptor = os.dup(0) if order.file == STANDARD_INPUT else os.open(order.file, os.O_RDONLY)
        file = os.fdopen(descriptor, "rb")
    except OSError as error:
        raise NotImportable(problem=f"{order.file} cannot be read: {error.strerror}.") from error
    status = os.fstat(file.fileno())
    size = status.st_size if stat.S_ISREG(status.st_mode) else None
    try:
        yield file, size
    finally:
        # The thread that reads may still wait for a pipe, and hold the file: it goes when the process does.
        if size is not None:
            file.close()


def _stop_on_signals() -> asyncio.Event:
    """Set by the first Ctrl-C or SIGTERM; the second ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def told() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
        say("Stopping when what is on its way is in; Ctrl-C again stops at once.")
        stop.set()

    for number in signals:
        loop.add_signal_handler(number, told)
    return stop
