"""The commands; each is loaded only when it is called, so that `ovasabi --help` answers at once."""

import importlib
import os
import sys
from typing import NoReturn

import click

from ovasabi import __version__
from ovasabi.errors import OvasabiError, SettingsError

# name: (where the command is, what it does in one line); in the order in which a new user meets them
COMMANDS = {
    "up": ("ovasabi.cli.up:up", "Start everything, with its own PostgreSQL; what `make run` does."),
    "serve": ("ovasabi.cli.serve:serve", "Serve HTTP on the PostgreSQL of OVASABI_DATABASE_URL."),
    "migrate": ("ovasabi.cli.migrate:migrate", "Bring the database's schema to this version, or plan it."),
    "call": ("ovasabi.cli.call.command:call", "Call a method of a running OVASABI, and print its answer."),
    "import": ("ovasabi.cli.import_file:import_", "Import JSONL or CSV into a campaign."),
    "keys": ("ovasabi.cli.keys:keys", "Create, list and revoke API keys."),
    "status": ("ovasabi.cli.status:status", "Show what runs, where, and in which state."),
    "psql": ("ovasabi.cli.psql:psql", "Open a shell on the database, the embedded one too."),
    "new": ("ovasabi.cli.new:new", "Write the start of something new, such as a service."),
    "api": ("ovasabi.cli.api:api", "Write the API's contracts from what is declared, or check them."),
}
INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ovasabi %(version)s")
def cli() -> None:
    """OVASABI: a multi-campaign backend platform on PostgreSQL.

    Settings come from the environment, from .env or from secret files: OVASABI_HOME, OVASABI_DATABASE_URL,
    OVASABI_HOST, OVASABI_PORT and others.
    """


def main() -> NoReturn:
    """Run a command; whatever goes wrong is told in a sentence, and a hint where there is one."""
    try:
        result = cli.main(standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except OvasabiError as error:
        tell(str(error), error.hint)
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except Exception as error:
        if os.environ.get("OVASABI_LOG_LEVEL", "").lower() == "debug":
            raise
        tell(f"{type(error).__name__}: {error}", "Set OVASABI_LOG_LEVEL=debug for details.")
        sys.exit(1)


def tell(problem: str, hint: str | None) -> None:
    """Print an error as every command does."""
    click.echo(f"error: {problem}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
