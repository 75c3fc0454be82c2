"""`ovasabi call SERVICE METHOD`: every method of every service, from the command line, against a running OVASABI."""

import inspect
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ovasabi.cli.call.options import options_of, own_options, values_of

if TYPE_CHECKING:
    from ovasabi.kernel.declare.methods import Method
    from ovasabi.kernel.service import Service


class ServiceGroup(click.Group):
    """The services by name; the methods and options of one are looked up only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_services())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        service = _services().get(cmd_name)
        return None if service is None else _group(service)


@click.group(cls=ServiceGroup, subcommand_metavar="SERVICE METHOD [ARGS]...")
@click.option("--address", metavar="URL", help="Where OVASABI listens, if it is not the one of this machine.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the API key, instead of OVASABI_KEY or the operator key in OVASABI_HOME.",
)
@click.pass_context
def call(context: click.Context, address: str | None, key_file: Path | None) -> None:
    """Call a method of a running OVASABI, and print its answer as JSON.

    The answer is indented on a terminal, and one line if it is piped on. `ovasabi call SERVICE --help` tells the
    methods, `ovasabi call SERVICE METHOD --help` the options of one.
    """
    context.obj = (address, key_file)


def _services() -> "dict[str, type[Service]]":
    from ovasabi.discovery import discover
    from ovasabi.kernel.service import services

    discover()
    return {service.subject.label: service for service in services}


def _group(service: "type[Service]") -> click.Group:
    commands = [_command(method) for method in service.methods()]
    doc = inspect.cleandoc(service.subject.doc)
    return click.Group(service.subject.label, commands, help=doc, subcommand_metavar="METHOD [ARGS]...")


def _command(method: "Method") -> click.Command:
    return click.Command(
        method.name,
        params=[*own_options(method), *options_of(method)],
        callback=_callback(method),
        help=f"{method.doc}\n\nNeeds the role {method.role.value}.",
        short_help=method.doc.split("\n")[0],
    )


def _callback(method: "Method") -> Callable[..., None]:
    @click.pass_context
    def run(context: click.Context, /, **given: Any) -> None:
        _run(method, context, given)

    return run


def _run(method: "Method", context: click.Context, given: dict[str, Any]) -> None:
    """Sends the call, and prints what it answers; an error as every command does."""
    from ovasabi.cli.call.sending import Refused, answers, prepared

    values = values_of(method, given)
    address, key_file = context.obj
    try:
        _print(answers(method, prepared(address, key_file), values))
    except Refused as error:
        error.tell()
        context.exit(1)


def _print(lines: Iterable[bytes]) -> None:
    from ovasabi.cli.call.sending import shown

    out = sys.stdout.buffer
    try:
        for line in lines:
            out.write(shown(line, out.isatty()) + b"\n")
            out.flush()
    except BrokenPipeError:
        # Whoever reads has enough, as `head` does; what is still in the buffer must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
