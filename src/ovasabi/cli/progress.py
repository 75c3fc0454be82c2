"""The progress of an import: a progress bar on a terminal, otherwise a line every few seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from ovasabi.kernel.transfer.importer import Importer, Tally

EVERY_SECONDS = 5.0


@contextmanager
def shown(importer: Importer, plural: str, size: int | None) -> Iterator[Callable[[], float]]:
    """Shows the progress of an import while the block runs; yields a function that returns the elapsed seconds."""
    start = time.monotonic()

    def seconds() -> float:
        return time.monotonic() - start

    if sys.stderr.isatty():
        with _bar(importer, plural, size, seconds):
            yield seconds
    else:
        importer.progress = _Lines(plural, size, seconds).show
        yield seconds


@contextmanager
def _bar(importer: Importer, plural: str, size: int | None, seconds: Callable[[], float]) -> Iterator[None]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = [TextColumn(plural), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[counts]}")]
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(plural, total=size, counts="")

        def show(tally: Tally) -> None:
            progress.update(task, completed=tally.end, counts=_counts(tally, seconds()))

        importer.progress = show
        yield


class _Lines:
    def __init__(self, plural: str, size: int | None, seconds: Callable[[], float]) -> None:
        self._plural, self._size, self._seconds = plural, size, seconds
        self._next = EVERY_SECONDS

    def show(self, tally: Tally) -> None:
        """Prints a line, if enough time has passed since the last one."""
        now = self._seconds()
        if now < self._next:
            return
        self._next = now + EVERY_SECONDS
        left = ""
        if self._size and tally.end:
            share = min(tally.end / self._size, 1.0)
            left = f", {share:.0%} of the file, {now / share - now:,.0f} s left"
        click.echo(f"{self._plural}: {_counts(tally, now)}{left}", err=True)


def _counts(tally: Tally, seconds: float) -> str:
    rejected = f", {tally.rejected:,} rejected" if tally.rejected else ""
    return f"{tally.lines:,} rows{rejected}, {tally.lines / max(seconds, 0.001):,.0f} rows/s"
