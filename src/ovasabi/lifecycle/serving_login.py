"""The login of the serving processes on each server: a member of the application's role alone, which becomes no other.

`migrate` and `up` make it, and keep its password in the home. What is served is then never a statement of the login
that migrates, which could act as the owner, or may be a superuser.
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import asyncpg
import msgspec

from ovasabi.database.connection import Row
from ovasabi.database.os_user import make_directory
from ovasabi.database.roles import APP_ROLE
from ovasabi.database.session import open_session
from ovasabi.database.sql import load
from ovasabi.errors import StartError
from ovasabi.settings import Settings

FILE = "serving.json"
_SQL = load(__file__)
_REFUSED = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
_ITERATIONS = 4096


class Login(msgspec.Struct, frozen=True):
    """A login, and the server and database that it is for: hosts and name, as in their URL."""

    place: str
    user: str
    password: str


class Powers(msgspec.Struct, frozen=True):
    """What a login can do besides serving; nothing, if it is as it should be."""

    name: str
    powers: list[str]

    def __str__(self) -> str:
        return f"{self.name}, which {' and '.join(self.powers)}" if self.powers else self.name


def serving_url(url: str, settings: Settings, number: int) -> str:
    """Returns the URL of the serving login of a server; if none is known here, the URL as it is."""
    login = _known(settings.home).get(number)
    return url if login is None or login.place != _place(url) else _of(url, login)


async def powers_at(url: str) -> Powers:
    """Returns what the login of a URL can do besides serving."""
    connection = await open_session(url)
    try:
        return _powers(await connection.fetch(_SQL["powers"]))
    finally:
        await connection.close()


async def check(url: str, settings: Settings, number: int, warn: Callable[[str], None]) -> None:
    """Raises StartError if the database refuses the serving login; warns if what will serve can do more than that."""
    try:
        found = await powers_at(serving_url(url, settings, number))
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        problem = f"The database refuses the login that serves: {str(error).rstrip('.')}."
        raise StartError(problem=problem, hint="Run: ovasabi migrate") from error
    except (*_REFUSED, TimeoutError):
        return  # whoever opens the pools waits, or tells
    if found.powers:
        warn(f"Serving uses the login {found}; `ovasabi migrate` makes one that only serves, if it may create roles.")


def _powers(rows: list[Row]) -> Powers:
    return Powers(rows[0]["name"], rows[0]["powers"])


async def settle(url: str, settings: Settings, number: int, report: Callable[[str], None]) -> None:
    """Makes the serving login of a server if it is not there, or reports that serving uses the login of the URL.

    The database must be migrated.
    """
    if not (await powers_at(url)).powers:
        return  # it only serves
    logins = _known(settings.home)
    known = logins.get(number)
    login = Login(
        _place(url),
        known.user if known is not None else f"ovasabi_serving_{secrets.token_hex(4)}",
        known.password if known is not None else secrets.token_urlsafe(32),
    )
    if known == login and await _refusal(_of(url, login)) is None:
        return
    refusal = await _make(url, login) or await _refusal(_of(url, login))
    if refusal is None:
        _write(settings.home, logins | {number: login})
    else:
        report(f"No login that only serves could be made ({refusal}); serving uses the one that migrates.")


async def _make(url: str, login: Login) -> str | None:
    """Makes a login; returns why it could not, if so."""
    connection = await open_session(url)
    try:
        async with connection.transaction():
            for row in await connection.fetch(_SQL["making"], login.user, verifier(login.password)):
                await connection.execute(row["sql"])
    except asyncpg.PostgresError as error:
        return str(error).splitlines()[0].rstrip(".")
    finally:
        await connection.close()
    return None


async def _refusal(url: str) -> str | None:
    """Returns why a login cannot serve, if it cannot."""
    try:
        connection = await open_session(url, role=APP_ROLE)
    except _REFUSED as error:
        return str(error).splitlines()[0].rstrip(".") or type(error).__name__
    try:
        found = _powers(await connection.fetch(_SQL["powers"]))
        return str(found) if found.powers else None
    finally:
        await connection.close()


def verifier(password: str, salt_text: str | None = None) -> str:
    """Returns what PostgreSQL keeps of a password (SCRAM-SHA-256): no log of statements has the password itself."""
    salt = secrets.token_bytes(16) if salt_text is None else base64.b64decode(salt_text)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(each).decode() for each in (salt, stored, server))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt_text}${stored_text}:{server_text}"


def _known(home: Path) -> dict[int, Login]:
    path = home / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[int, Login])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        problem = f"{path} cannot be read: {type(error).__name__}."
        raise StartError(problem=problem, hint="Delete it, and run: ovasabi migrate") from error


def _write(home: Path, logins: dict[int, Login]) -> None:
    make_directory(home)
    path = home / FILE
    new = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(logins))
    new.replace(path)


def _place(url: str) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    hosts = parts.netloc.rpartition("@")[2]
    return f"{hosts or query.get('host', '')}/{parts.path.strip('/')}"


def _of(url: str, login: Login) -> str:
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    query = [pair for pair in parse_qsl(parts.query) if pair[0] not in ("user", "password", "passfile")]
    netloc = f"{quote(login.user, safe='')}:{quote(login.password, safe='')}@{hosts}"
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query, quote_via=quote, safe="/")))
