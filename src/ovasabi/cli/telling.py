"""What `up` and `serve` tell while they start and stop: sentences for a person, or records if the log is JSON."""

import logging
from collections.abc import Callable

import click

log = logging.getLogger("ovasabi.process")


def announce(sentence: str, banner: str | None = None) -> None:
    """Tells on standard output what the process does now; a banner tells a person more than the sentence."""
    if _is_json():
        log.info(sentence)
    else:
        click.echo(sentence if banner is None else banner)


def saying(started: Callable[[], bool]) -> Callable[[str], None]:
    """Returns what tells a sentence on standard error. Once the process has started, nobody looks on: it is logged."""

    def say(sentence: str) -> None:
        if started():
            log.warning(sentence)
        elif _is_json():
            log.info(sentence)
        else:
            click.echo(sentence, err=True)

    return say


def tell_failure(problem: str, hint: str | None = None) -> None:
    """Tells on standard error why the process ends, and what to do about it."""
    if _is_json():
        log.critical(problem if hint is None else f"{problem} {hint}")
        return
    click.echo(f"error: {problem}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)


def _is_json() -> bool:
    if not logging.getLogger().handlers:
        return False  # there is no log, whose modules take time to load
    from ovasabi.logs.setup import is_json

    return is_json()
