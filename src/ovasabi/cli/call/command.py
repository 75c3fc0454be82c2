"""`ovasabi call SERVICE METHOD`: calls any method of any service of a running OVASABI from the command line."""

import inspect
import os
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ovasabi.cli.call.options import options_of, own_options, values_of
from ovasabi.cli.interruption import Interrupted, number_of

if TYPE_CHECKING:
    from ovasabi.kernel.declare.methods import Method
    from ovasabi.kernel.service import Service


class ServiceGroup(click.Group):
    """The services by name; the methods of a service and their options are built only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_services())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        service = _services().get(cmd_name)
        return None if service is None else _group(service)


class MethodCommand(click.Command):
    """A method of a service; an option that it does not have is answered with those that it has."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            own = sorted(name for param in self.get_params(ctx) for name in param.opts if name.startswith("--"))
            near = get_close_matches(error.option_name, own, 1)
            advice = f"Did you mean {near[0]}?" if near else f"It has {', '.join(own)}."
            method = " ".join(ctx.command_path.split()[-2:])
            raise click.UsageError(f"{method} has no option {error.option_name}. {advice}", ctx) from None


@click.group(cls=ServiceGroup, subcommand_metavar="SERVICE METHOD [ARGS]...")
@click.option("--address", metavar="URL", help="The address of OVASABI, if it does not run on this machine.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file that contains the API key to use instead of OVASABI_KEY or the operator key in OVASABI_HOME.",
)
@click.pass_context
def call(context: click.Context, address: str | None, key_file: Path | None) -> None:
    """Call a method of a running OVASABI and print the response as JSON.

    The response is indented on a terminal, and printed on one line when piped. `ovasabi call SERVICE --help` lists the
    methods of a service, and `ovasabi call SERVICE METHOD --help` the options of a method.
    """
    context.obj = (address, key_file)


def _services() -> "dict[str, type[Service]]":
    from ovasabi.gateway.contract.checks import discovered
    from ovasabi.kernel.service import services

    discovered()
    return {service.subject.label: service for service in services}


def _group(service: "type[Service]") -> click.Group:
    commands = [_command(method) for method in service.methods()]
    doc = inspect.cleandoc(service.subject.doc)
    return click.Group(service.subject.label, commands, help=doc, subcommand_metavar="METHOD [ARGS]...")


def _command(method: "Method") -> click.Command:
    return MethodCommand(
        method.name,
        params=[*own_options(method), *options_of(method)],
        callback=_callback(method),
        help=f"{method.doc}\n\nRequires the `{method.role.value}` role.",
        short_help=method.doc.split("\n")[0],
    )


def _callback(method: "Method") -> Callable[..., None]:
    @click.pass_context
    def run(context: click.Context, /, **parameters: Any) -> None:
        _run(method, context, parameters)

    return run


def _run(method: "Method", context: click.Context, parameters: dict[str, Any]) -> None:
    """Sends the call and prints its response, or the error."""
    from ovasabi.cli.call.sending import ErrorResponse, responses, target_of
    from ovasabi.kernel.declare.methods import MethodKind

    values = values_of(method, parameters)
    address, key_file = context.obj
    try:
        _print(responses(method, target_of(address, key_file), values))
    except ErrorResponse as error:
        error.print()
        context.exit(1)
    except KeyboardInterrupt as interruption:
        told = "the server may perform the call nevertheless" if method.writes else None
        # Ctrl-C is how a watch is meant to end.
        raise Interrupted(number_of(interruption), told, silent=method.operation is MethodKind.WATCH) from None


def _print(lines: Iterable[bytes]) -> None:
    from ovasabi.cli.call.sending import formatted

    out = sys.stdout.buffer
    try:
        for line in lines:
            out.write(formatted(line, out.isatty()) + b"\n")
            out.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has read enough; flushing the rest of the buffer must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
