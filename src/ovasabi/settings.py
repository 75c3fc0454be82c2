"""All settings in one frozen object, read once at the entry point from the environment, `.env` and secret files."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ovasabi.errors import SettingsError
from ovasabi.suggestions import nearest

PREFIX = "OVASABI_"
SECRETS_DIR = "OVASABI_SECRETS_DIR"
# Read by our tests and benchmarks, not by the platform.
FOREIGN = ("OVASABI_TEST_", "OVASABI_BENCH_")
SHARD = re.compile(r",(?=\d+=)")
"""Between two shards; a URL can have commas, too."""
NUMBER = re.compile(r"[1-9]|[12]\d|3[01]")
HOST_AND_PORT = re.compile(r"(\[[^]]*\]|[^:]*)(:\d*)?")


def _directory(path: Path) -> Path:
    return path.expanduser().absolute()


def _postgresql(url: SecretStr) -> SecretStr:
    """Refuse URLs that the driver would misread; the messages never show the URL, which may contain a password."""
    scheme, separator, _ = url.get_secret_value().partition("://")
    if not separator or scheme not in ("postgresql", "postgres"):
        raise ValueError("it must begin with postgresql:// or postgres://, without a driver name")
    try:
        parts = urlsplit(url.get_secret_value())
        hosts = parts.netloc.rpartition("@")[2].split(",")
        _ = [urlsplit(f"//{host}").port for host in hosts]
    except ValueError:
        raise ValueError("it is malformed; in a password, write @ as %40, / as %2F and : as %3A") from None
    if not all(hosts) and "host" not in dict(parse_qsl(parts.query)):
        raise ValueError("it does not name a host")
    return url


def _shards(value: SecretStr) -> SecretStr:
    """Refuse shards without a number of their own or a valid URL; the messages never show a URL."""
    entries = [entry.partition("=") for entry in SHARD.split(value.get_secret_value()) if entry]
    numbers = [number for number, _, _ in entries]
    if any(not NUMBER.fullmatch(number) for number in numbers):
        raise ValueError("it must have the form 1=postgresql://…,2=postgresql://…, with numbers from 1 to 31")
    if len(set(numbers)) < len(numbers):
        raise ValueError("two servers have the same number")
    for number, _, url in entries:
        try:
            _postgresql(SecretStr(url))
        except ValueError as error:
            raise ValueError(f"of server {number}, {str(error).replace('it ', 'the URL ', 1)}") from None
    return value


class Settings(BaseSettings):
    """The settings. The field `port` is set by `OVASABI_PORT` in the environment, in `.env` or as a secret file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    home: Annotated[Path, AfterValidator(_directory)] = Field(default=Path("~/.ovasabi"), validate_default=True)
    database_url: Annotated[SecretStr, AfterValidator(_postgresql)] | None = None
    # The number of the database server, which its ids contain. Each server of an installation has its own.
    server_number: int = Field(default=0, ge=0, le=31)
    # The servers that campaigns are on besides that of database_url: 1=postgresql://…,2=postgresql://…
    shards: Annotated[SecretStr, AfterValidator(_shards)] = SecretStr("")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    # The port of gRPC. Unset: the port after `port`; 0: gRPC is disabled.
    grpc_port: int | None = Field(default=None, ge=0, le=65535)
    # The services that run in this process, comma-separated (all if empty), the addresses of the others, and the
    # secret by which the processes authenticate each other.
    services: str = ""
    peers: str = ""
    peer_secret: SecretStr | None = None
    # Under which requests are sealed and digested in the database; after a change, the earlier ones follow the new.
    secret_key: SecretStr | None = None
    # The API key that `ovasabi call` uses instead of the operator key.
    key: SecretStr | None = None
    request_timeout_seconds: float = Field(default=30, ge=0.1, le=600)
    # How long a start waits for a database that does not accept connections yet.
    database_wait_seconds: float = Field(default=60, ge=0, le=3600)
    # Connections for reading and for writing, per process.
    pool_size: int = Field(default=8, ge=1, le=200)
    write_pool_size: int = Field(default=8, ge=1, le=200)
    # How many calls a process performs at a time, per process; half of them for one key, or for one campaign.
    max_concurrent_calls: int = Field(default=4096, ge=2, le=100_000)
    # HTTP connections per process; fewer if the limit of open files is lower.
    max_connections: int = Field(default=10_000, ge=16, le=1_000_000)
    # The size of the cache of search results in megabytes, per process; 0 disables it.
    search_cache_mb: int = Field(default=16, ge=0, le=4096)
    # How many long-running operations a process runs at a time; 0 leaves them to other processes.
    operations: int = Field(default=4, ge=0, le=64)
    months_ahead: int = Field(default=2, ge=0, le=120)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @field_validator("shards")
    @classmethod
    def _apart_from_home(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        number = info.data.get("server_number")
        if number and any(entry.startswith(f"{number}=") for entry in SHARD.split(value.get_secret_value())):
            raise ValueError(f"the number {number} is that of the home server, in OVASABI_SERVER_NUMBER")
        return value

    def number_of(self, server: int) -> int:
        """Returns the number that the ids of a server have: of home, which is 0 in the directory, its own setting."""
        return server or self.server_number

    @property
    def embedded_options(self) -> dict[str, str]:
        """What the embedded server needs in addition to its own options."""
        return {"wal_level": "logical"} if self.shard_urls else {}

    @property
    def shard_urls(self) -> dict[int, str]:
        """The URLs in `shards` by their numbers."""
        entries = [entry.partition("=") for entry in SHARD.split(self.shards.get_secret_value()) if entry]
        return {int(number): url for number, _, url in entries}


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; overrides that are not None take precedence. SettingsError reports the first problem."""
    dotenv = _read_dotenv(Path(".env"))
    secrets = _secrets_directory(os.environ.get(SECRETS_DIR) or dotenv.get(SECRETS_DIR))
    _refuse_unknown((PREFIX + name.upper() for name in overrides), "an option")
    _refuse_unknown(os.environ, "the environment")
    _refuse_unknown(dotenv, ".env")
    if secrets is not None:
        _refuse_unknown((file.name for file in secrets.iterdir() if not file.name.startswith(".")), str(secrets))
    effective = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(_env_file=".env", _secrets_dir=secrets, **effective)
    except ValidationError as error:
        raise _first_problem(error) from None


def redact(url: str) -> str:
    """Return the URL without its password, safe to be shown."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    authority = rest.split("/", 1)[0].split("?", 1)[0]
    # A later "@" most likely belongs to a password that was not percent-encoded: everything before it is removed.
    authority = authority if "@" not in rest[len(authority) :] else rest[: rest.rindex("@")] + "@"
    tail = rest[len(authority) :]
    userinfo, at, host = authority.rpartition("@")
    if not all(map(HOST_AND_PORT.fullmatch, host.split(","))):
        host = host.partition(":")[0]  # what appears in place of a port may be part of a password too
    path, question, query = tail.partition("?")
    harmless = [(key, value) for key, value in parse_qsl(query) if key not in ("password", "sslpassword")]
    redacted_query = question + urlencode(harmless, quote_via=quote, safe="/") if harmless else ""
    return f"{scheme}://{userinfo.partition(':')[0]}{at}{host}{path}{redacted_query}"


def password_of(url: str) -> str | None:
    """Return the password in a URL, to be passed to a program in its environment."""
    parts = urlsplit(url)
    if parts.password is not None:
        return unquote(parts.password)
    return parse_qs(parts.query).get("password", [None])[0]


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
            hint="Use a directory with one file per setting, named after the setting.",
        )
    return path


def _refuse_unknown(names: Any, where: str) -> None:
    known = {PREFIX + field.upper() for field in Settings.model_fields} | {SECRETS_DIR}
    endings = [name.removeprefix(PREFIX) for name in known]
    for name in sorted(names):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper.startswith(FOREIGN) or upper in known:
            continue
        near = nearest(upper.removeprefix(PREFIX), endings)
        hint = f"Did you mean {PREFIX}{near}?" if near else f"Available settings: {', '.join(sorted(known))}."
        raise SettingsError(problem=f"{name}, found in {where}, is not a setting.", field=name, hint=hint)


def _first_problem(error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0])
    name = PREFIX + field.upper()
    reason = (
        first["msg"].removeprefix("Value error, ").replace("Input should be", "it must be").partition(", unable")[0]
    )
    # The value of a secret is never shown in the message, even if it is malformed.
    secret = "SecretStr" in str(Settings.model_fields[field].annotation)
    shown = "" if secret else f" is {str(first['input'])!r}, which"
    return SettingsError(problem=f"{name}{shown} is not valid: {reason}.", field=name)
