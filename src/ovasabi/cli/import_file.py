"""`ovasabi import`: imports JSON Lines or CSV into a campaign, with progress and rejects; Ctrl-C is safe."""

import asyncio
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import click

from ovasabi.cli import print_error
from ovasabi.cli.connect import NoSuchCampaign, campaign_number, database_of, open_database, say
from ovasabi.cli.interruption import Interrupted, run
from ovasabi.settings import Settings, load_settings

if TYPE_CHECKING:
    from ovasabi.kernel.declare.entity import EntityType
    from ovasabi.kernel.service import ServiceRegistry
    from ovasabi.kernel.transfer.importer import Importer

STANDARD_INPUT = "-"
REJECTED, USAGE = 1, 2


@dataclass(frozen=True)
class Order:
    """The arguments and options of the command."""

    plural: str
    file: str
    campaign: str | None
    format: Literal["jsonl", "csv"]
    rejects: Path
    key_field: str | None
    batch: int


@dataclass
class Course:
    """How far an import has got, for when it is interrupted."""

    begun: bool = False
    number: int = signal.SIGINT
    told: str = "nothing was imported"
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self, number: int) -> bool:
        """Lets an import that has begun end after the batches that have been sent."""
        if self.begun:
            say("Stopping after the current batches; press Ctrl-C again to stop immediately.")
            self.number = number
            self.stopping.set()
        return self.begun


@click.command("import")
@click.argument("plural", metavar="TYPE")
@click.argument("file", metavar="FILE")
@click.option(
    "--campaign", metavar="SLUG|NUMBER", help="The campaign to import into. Omit for global types such as users."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["jsonl", "csv"]),
    help="The file format. By default, csv for *.csv, else jsonl.",
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file for rejected lines. By default, FILE.rejects.jsonl.",
)
@click.option(
    "--key", "key_field", metavar="FIELD", help="The field, or extra column, that uniquely identifies a line."
)
@click.option("--batch", type=click.IntRange(1, 5_000), default=500, show_default=True, help="Rows per statement.")
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
    """Import FILE (or - for standard input) as entities of TYPE, given in the plural: contents, products, users.

    Invalid lines are written to the reject file with the reason; all other lines are imported. An interrupted import
    can be run again: lines that are already imported are skipped. The exit code is 0 if all lines were imported, and
    1 if lines were rejected.
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
        course = Course()
        context.exit(run(_import(load_settings(), order, course), lambda: course.told, course.stop))
    except (NotImportable, NoSuchCampaign) as error:
        print_error(str(error), error.hint)
        context.exit(USAGE)


async def _import(settings: Settings, order: Order, course: Course) -> int:
    from ovasabi.gateway.contract.checks import discovered
    from ovasabi.kernel.call.context import acting, system_context
    from ovasabi.kernel.declare.entity import declared
    from ovasabi.kernel.service import ServiceRegistry, service_class
    from ovasabi.kernel.transfer.importer import IN_FLIGHT, Importer, type_named
    from ovasabi.kernel.transfer.reject_file import Rejects

    discovered()
    of = declared[type_named(order.plural)]
    _check_campaign(of, order)
    with _opened(order) as (file, size):
        async with open_database(settings, pool=IN_FLIGHT) as home:
            number = await _number(ServiceRegistry(home), order)
            async with database_of(settings, home, number, pool=IN_FLIGHT) as database:
                with acting(system_context("import", number)):
                    importer = Importer(
                        ServiceRegistry(database).here(service_class(of.name)),
                        Rejects(order.rejects),
                        explicit_keys=order.key_field is not None,
                        stop=course.stopping,
                    )
                    course.begun = True
                    return await _run(importer, of, order, course, file, size)


async def _run(
    importer: "Importer", of: "EntityType", order: Order, course: Course, file: BinaryIO, size: int | None
) -> int:
    """Imports the file, showing progress; returns the exit code."""
    from ovasabi.cli.progress import shown
    from ovasabi.kernel.transfer.batches import read_batches
    from ovasabi.kernel.transfer.line_decoder import LineDecoder

    batches = read_batches(file, LineDecoder(of, order.key_field), order.format, order.batch)
    with shown(importer, order.plural, size) as seconds:
        try:
            tally = await importer.run(batches)
        except Exception:
            if importer.tally.lines:
                say(f"Interrupted after {_summary(importer, order, seconds())}. Run the command again to resume.")
            raise
        finally:
            course.told = f"{_summary(importer, order, seconds())}. Run the command again to resume"
    if importer.stopped:
        raise Interrupted(course.number, course.told)
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
        raise NotImportable(problem=f"Importing {of.plural} requires a campaign.", hint="Set it with --campaign SLUG.")
    if not of.partitioned and order.campaign is not None:
        raise NotImportable(problem=f"{of.plural.capitalize()} do not belong to a campaign.", hint="Omit --campaign.")


async def _number(registry: "ServiceRegistry", order: Order) -> int:
    from ovasabi.kernel.call.context import PLATFORM

    return PLATFORM if order.campaign is None else await campaign_number(registry, order.campaign)


@contextmanager
def _opened(order: Order) -> Iterator[tuple[BinaryIO, int | None]]:
    """Yields the open file, and its size if it is a regular file."""
    from ovasabi.kernel.transfer.lines import NotImportable

    try:
        if order.file != STANDARD_INPUT and order.rejects.exists() and order.rejects.samefile(order.file):
            raise NotImportable(
                problem="The reject file is the same as the imported file.", hint="Choose another with --rejects."
            )
        descriptor = os.dup(0) if order.file == STANDARD_INPUT else os.open(order.file, os.O_RDONLY)
        file = os.fdopen(descriptor, "rb")
    except OSError as error:
        raise NotImportable(problem=f"{order.file} cannot be read: {error.strerror}.") from error
    status = os.fstat(file.fileno())
    size = status.st_size if stat.S_ISREG(status.st_mode) else None
    try:
        yield file, size
    finally:
        # The reading thread may still wait on a pipe and hold the file; it ends with the process.
        if size is not None:
            file.close()
