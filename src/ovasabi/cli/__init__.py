"""The commands; each is loaded only when it is called, so that `ovasabi --help` responds at once."""

import importlib
import os
import sys
from typing import NoReturn

import click

from ovasabi import __version__
from ovasabi.cli.interruption import Interrupted, notice_sigterm, number_of
from ovasabi.cli.telling import tell_failure
from ovasabi.errors import DeclarationError, OvasabiError, SettingsError

# name: (where the command is defined, its one-line summary), in the order in which a new user needs them
COMMANDS = {
    "up": ("ovasabi.cli.up:up", "Start everything, including an embedded PostgreSQL (as `make run` does)."),
    "serve": ("ovasabi.cli.serve:serve", "Serve HTTP and gRPC using the PostgreSQL at OVASABI_DATABASE_URL."),
    "migrate": ("ovasabi.cli.migrate:migrate", "Migrate the database schema to this version, or show the plan."),
    "call": ("ovasabi.cli.call.command:call", "Call a method of a running OVASABI and print the response."),
    "import": ("ovasabi.cli.import_file:import_", "Import JSON Lines or CSV into a campaign."),
    "keys": ("ovasabi.cli.keys:keys", "Create, list and revoke API keys."),
    "events": ("ovasabi.cli.events:events", "Administer the event log: begin a new epoch."),
    "backup": ("ovasabi.cli.backup:backup", "Back up the whole installation to a directory."),
    "restore": ("ovasabi.cli.backup:restore", "Restore a backup into an empty database."),
    "status": ("ovasabi.cli.status:status", "Show whether OVASABI is running, and the state of its database."),
    "psql": ("ovasabi.cli.psql:psql", "Open psql, connected to the database, including the embedded one."),
    "new": ("ovasabi.cli.new:new", "Generate the code of a new service."),
    "api": ("ovasabi.cli.api:api", "Generate the API contracts from the declarations, or check them."),
}


class LazyGroup(click.Group):
    """A group that lists its commands by name, and imports a command only when it is called."""

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

    Settings are read from the environment, from .env and from secret files: OVASABI_HOME, OVASABI_DATABASE_URL,
    OVASABI_HOST, OVASABI_PORT and others.
    """


def main() -> NoReturn:
    """Run a command; failures are reported as one sentence, with a hint if there is one."""
    notice_sigterm()
    try:
        result = cli.main(standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt, Interrupted) as error:
        interrupted = (
            error if isinstance(error, Interrupted) else Interrupted(number_of(error.__cause__ or error), None)
        )
        interrupted.show()
        sys.exit(interrupted.exit_code)
    except OvasabiError as error:
        if isinstance(error, DeclarationError) and _debugging():
            raise
        print_error(str(error), error.hint)
        sys.exit(2 if isinstance(error, SettingsError | DeclarationError) else 1)
    except Exception as error:
        from ovasabi.cli.database_errors import explained

        if _debugging():
            raise
        if (known := explained(error)) is not None:
            print_error(str(known), known.hint)
        else:
            print_error(f"{type(error).__name__}: {error}", "Set OVASABI_LOG_LEVEL=debug for details.")
        sys.exit(1)


def _debugging() -> bool:
    return os.environ.get("OVASABI_LOG_LEVEL", "").lower() == "debug"


def print_error(problem: str, hint: str | None) -> None:
    """Print an error and its hint, in the format that all commands use."""
    tell_failure(problem, hint)
