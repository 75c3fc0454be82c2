"""`ovasabi psql`: opens psql on the database; the password is passed in the environment, never on the command line."""

import os
import shutil
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qs, unquote, urlsplit

import click

from ovasabi.cli.home import Home
from ovasabi.database.cluster import wheel_binaries
from ovasabi.database.embedded import running_url
from ovasabi.errors import StartError
from ovasabi.settings import load_settings, redact


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
    if (password := _password(url)) is not None:
        environment["PGPASSWORD"] = password
    program = _program(embedded=settings.database_url is None)
    os.execve(program, [program.name, redact(url), *arguments], environment)


def _password(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.password is not None:
        return unquote(parts.password)
    return parse_qs(parts.query).get("password", [None])[0]


def _program(embedded: bool) -> Path:
    """Returns the bundled psql for the embedded server, else the system's psql, which supports TLS, if installed."""
    installed = shutil.which("psql")
    return Path(installed) if installed is not None and not embedded else wheel_binaries(18) / "psql"
