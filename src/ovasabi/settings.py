"""Every setting in one frozen object, read once at the entry point from the environment, `.env` and secret files."""

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ovasabi.errors import SettingsError

PREFIX = "OVASABI_"
SECRETS_DIR = "OVASABI_SECRETS_DIR"
# Read by our tests and benchmarks, not by the platform.
FOREIGN = ("OVASABI_TEST_", "OVASABI_BENCH_")
HOST_AND_PORT = re.compile(r"(\[[^]]*\]|[^:]*)(:\d*)?")


def _directory(path: Path) -> Path:
    return path.expanduser().absolute()


def _postgresql(url: SecretStr) -> SecretStr:
    """Refuse what the driver would misread; the messages never hold the URL, which may hold a password."""
    scheme, separator, _ = url.get_secret_value().partition("://")
    if not separator or scheme not in ("postgresql", "postgres"):
        raise ValueError("it must begin with postgresql:// or postgres:// (no driver name)")
    try:
        parts = urlsplit(url.get_secret_value())
        hosts = parts.netloc.rpartition("@")[2].split(",")
        _ = [urlsplit(f"//{host}").port for host in hosts]
    except ValueError:
        raise ValueError("it cannot be read; in a password, @ is written %40, / is %2F and : is %3A") from None
    if not all(hosts) and "host" not in dict(parse_qsl(parts.query)):
        raise ValueError("it names no host")
    return url


class Settings(BaseSettings):
    """What can be set. A field `port` is `OVASABI_PORT` in the environment, in `.env` or as a file of that name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    home: Annotated[Path, AfterValidator(_directory)] = Field(default=Path("~/.ovasabi"), validate_default=True)
    database_url: Annotated[SecretStr, AfterValidator(_postgresql)] | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    # Where gRPC listens: unset, the port after `port`; 0, nowhere.
    grpc_port: int | None = Field(default=None, ge=0, le=65535)
    # The services that run in this process, by comma (all if empty), where the others run, and the secret by which
    # the processes know each other.
    services: str = ""
    peers: str = ""
    peer_secret: SecretStr | None = None
    # The API key of `ovasabi call`, where it is not the operator's.
    key: SecretStr | None = None
    request_timeout_seconds: float = Field(default=30, ge=0.1, le=600)
    # Connections that read and connections that write, for the whole process.
    pool_size: int = Field(default=8, ge=1, le=200)
    write_pool_size: int = Field(default=8, ge=1, le=200)
    # Megabytes of answers to searches that a process keeps; 0 keeps none.
    search_cache_mb: int = Field(default=16, ge=0, le=4096)
    # Long-running operations that a process carries out at a time; 0 leaves them to others.
    operations: int = Field(default=4, ge=0, le=64)
    months_ahead: int = Field(default=2, ge=0, le=120)
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; an override that is not None wins. SettingsError names the first thing that is wrong."""
    dotenv = _read_dotenv(Path(".env"))
    secrets = _secrets_directory(os.environ.get(SECRETS_DIR) or dotenv.get(SECRETS_DIR))
    _refuse_unknown((PREFIX + name.upper() for name in overrides), "an option")
    _refuse_unknown(os.environ, "the environment")
    _refuse_unknown(dotenv, ".env")
    if secrets is not None:
        _refuse_unknown((file.name for file in secrets.iterdir() if not file.name.startswith(".")), str(secrets))
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(_env_file=".env", _secrets_dir=secrets, **given)
    except ValidationError as error:
        raise _first_problem(error) from None


def redact(url: str) -> str:
    """The URL without its password, fit to be shown."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    authority = rest.split("/", 1)[0].split("?", 1)[0]
    # An "@" further on is most likely a password that was not percent-encoded: then everything before it goes.
    authority = authority if "@" not in rest[len(authority) :] else rest[: rest.rindex("@")] + "@"
    tail = rest[len(authority) :]
    userinfo, at, host = authority.rpartition("@")
    if not all(map(HOST_AND_PORT.fullmatch, host.split(","))):
        host = host.partition(":")[0]  # what stands where a port belongs may be a password too
    path, question, query = tail.partition("?")
    kept = [(key, value) for key, value in parse_qsl(query) if key not in ("password", "sslpassword")]
    shown = question + urlencode(kept, quote_via=quote, safe="/") if kept else ""
    return f"{scheme}://{userinfo.partition(':')[0]}{at}{host}{path}{shown}"


def _read_dotenv(path: Path) -> dict[str, str | None]:
    try:
        return dict(dotenv_values(path, interpolate=False))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(problem=f"{path.absolute()} cannot be read ({type(error).__name__}).") from None


def _secrets_directory(name: str | None) -> Path | None:
    if not name:
        return None
    path = _directory(Path(name))
    if not path.is_dir():
        raise SettingsError(
            problem=f"{SECRETS_DIR} is {str(path)!r}, which is not a directory.",
            field=SECRETS_DIR,
            hint="It is a directory with one file per setting, named like the setting.",
        )
    return path


def _refuse_unknown(names: Any, where: str) -> None:
    known = {PREFIX + field.upper() for field in Settings.model_fields} | {SECRETS_DIR}
    endings = [name.removeprefix(PREFIX) for name in known]
    for name in sorted(names):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper.startswith(FOREIGN) or upper in known:
            continue
        near = difflib.get_close_matches(upper.removeprefix(PREFIX), endings, n=1)
        hint = f"Did you mean {PREFIX}{near[0]}?" if near else f"The settings are {', '.join(sorted(known))}."
        raise SettingsError(problem=f"{name}, given in {where}, is not a setting.", field=name, hint=hint)


def _first_problem(error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0])
    name = PREFIX + field.upper()
    reason = (
        first["msg"].removeprefix("Value error, ").replace("Input should be", "it should be").partition(", unable")[0]
    )
    # A secret's value stays out of the message, however wrong it is.
    secret = "SecretStr" in str(Settings.model_fields[field].annotation)
    shown = "" if secret else f" is {str(first['input'])!r}, which"
    return SettingsError(problem=f"{name}{shown} is not valid: {reason}.", field=name)
