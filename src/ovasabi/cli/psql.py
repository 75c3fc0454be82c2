"""`ovasabi psql`: opens psql on the database; the password is passed in the environment, never on the command line."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import click

from ovasabi.cli.home import Home
from ovasabi.database.bundled import bundled_binaries
from ovasabi.database.embedded import running_url
from ovasabi.errors import StartError
from ovasabi.settings import load_settings, password_of, redact


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> NoReturn:
    """Open psql, connected to the database. ARGUMENTS are passed on to psql, for example -c 'select 1'."""
    settings = load_settings()
    url = settings.database_url.get_secret_value() if settings.database_url else running_url(Home(settings.home).data)
    if url is None:
        raise StartError(
            problem=f"No database is running in {settings.home}.",
            hint="Start it with `ovasabi up` in another terminal, or set OVASABI_DATABASE_URL.",
        )
    environment = {name: value for name, value in os.environ.items() if name != "OVASABI_DATABASE_URL"}
    if (password := password_of(url)) is not None:
        environment["PGPASSWORD"] = password
    program = _program()
    os.execve(program, [program.name, redact(url), *arguments], environment)


def _program() -> Path:
    """Returns the system's psql if installed, which has line editing and TLS, else the bundled one, which has not."""
    installed = shutil.which("psql")
    return bundled_binaries() / "psql" if installed is None else Path(installed)
