"""Sends a call to a running OVASABI using the standard library: a command sends a single request and needs no more."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from ovasabi import __version__
from ovasabi.cli.call.options import Values
from ovasabi.cli.home import Home
from ovasabi.errors import StartError
from ovasabi.settings import Settings, load_settings

if TYPE_CHECKING:
    from ovasabi.kernel.declare.methods import Method

RESPONSE_SECONDS = 60.0
WATCH_SECONDS = 620.0
"""More than twice the longest heartbeat interval that a watch can request."""

_MEDIA_TYPES = ("application/json", "text/event-stream")


class Target(msgspec.Struct, frozen=True):
    """The address to call, and the key to use."""

    address: str
    key: str


class ErrorResponse(Exception):
    """An error response of the server."""

    def __init__(self, status: int, content: bytes) -> None:
        super().__init__(status)
        self._status, self._content = status, content

    def print(self) -> None:
        """Prints its sentence and its hint."""
        from ovasabi.cli import print_error

        try:
            problem: dict[str, Any] = json.loads(self._content)
            detail, hint = str(problem["detail"]), problem.get("hint")
        except (ValueError, KeyError, TypeError):
            problem_text = f"The response does not come from OVASABI: HTTP status {self._status}."
            print_error(problem_text, "Check that --address is correct.")
            return
        field = problem.get("field")
        if problem.get("status", 0) >= 500 and problem.get("correlation_id"):
            hint = f"{hint or ''} The correlation id is {problem['correlation_id']}.".strip()
        print_error(detail if field is None or field in detail else f"{field}: {detail}", hint)


def target_of(address: str | None, key_file: Path | None) -> Target:
    """Returns the address to call and the key to use. This machine's operator key is never sent to another machine."""
    settings = load_settings()
    if key_file is not None:
        key = _read(key_file, "Pass a file that contains an API key with --key-file.")
    elif settings.key is not None:
        key = settings.key.get_secret_value()
    elif address is None:
        key = _read(Home(settings.home).operator_key, "Start OVASABI with `ovasabi up`, or pass a key with --key-file.")
    else:
        raise StartError(
            problem=f"No key is set for {address}; the operator key of this machine is not sent to other addresses.",
            hint="Pass a file that contains an API key with --key-file, or set OVASABI_KEY.",
        )
    if not (key.isascii() and key.isprintable() and key):
        raise StartError(problem="The key is not a valid API key.", hint="API keys begin with ovk_.")
    return Target(address or _local_address(settings), key)


def responses(method: "Method", target: Target, values: Values) -> Iterator[bytes]:
    """Yields the response as JSON, or the messages of a watch one by one; raises ErrorResponse if the call fails."""
    from ovasabi.kernel.declare.methods import MethodKind

    watches = method.operation is MethodKind.WATCH
    connection = _connection(target.address, WATCH_SECONDS if watches else RESPONSE_SECONDS)
    try:
        response = _sent(connection, method, target, values)
        if response.status >= 300 or response.headers.get_content_type() not in _MEDIA_TYPES:
            raise ErrorResponse(response.status, response.read())
        if watches:
            yield from _messages(response)
        elif method.response is not None:
            yield response.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise StartError(
            problem=f"OVASABI cannot be reached at {target.address}: {str(reason).rstrip('.').lower()}.",
            hint="Start it with `ovasabi up`, or pass its address with --address.",
        ) from error
    finally:
        connection.close()


def formatted(line: bytes, terminal: bool) -> bytes:
    """Returns a response as it is printed: indented on a terminal."""
    return json.dumps(json.loads(line), indent=2, ensure_ascii=False).encode() if terminal else line


def _sent(
    connection: http.client.HTTPConnection, method: "Method", target: Target, values: Values
) -> http.client.HTTPResponse:
    from ovasabi.gateway.wire.paths import verb_of

    headers = {"authorization": f"Bearer {target.key}", "user-agent": f"ovasabi/{__version__}"}
    path, body = _path(method, target, values), None
    if method.writes and method.request is not None:
        body = json.dumps(values.request).encode()
        headers["content-type"] = "application/json"
    elif values.request:
        path += f"?{urlencode({name: _text(value) for name, value in values.request.items()})}"
    if values.expected_version is not None:
        headers["if-match"] = f'"{values.expected_version}"'
    if values.idempotency_key is not None:
        headers["idempotency-key"] = values.idempotency_key
    connection.request(verb_of(method), path, body=body, headers=headers)
    return connection.getresponse()


def _path(method: "Method", target: Target, values: Values) -> str:
    from ovasabi.gateway.wire.paths import addresses_of
    from ovasabi.kernel.declare.methods import Resource

    itself = method.resource is Resource.ITSELF
    campaign = values.target if itself else values.campaign
    address = addresses_of(method)[-1 if campaign is None else 0]
    for placeholder, value in (("{campaign}", campaign), ("{id}", values.target)):
        address = address.replace(placeholder, quote(value or "", safe=""))
    return urlsplit(target.address).path.rstrip("/") + address


def _messages(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yields the data of server-sent events; an event named `error` ends the stream."""
    event = b""
    for line in response:
        name, _, value = line.rstrip(b"\r\n").partition(b": ")
        if name == b"data":
            if event == b"error":
                raise ErrorResponse(500, value)
            yield value
        event = value if name == b"event" else event if name else b""


def _connection(address: str, seconds: float) -> http.client.HTTPConnection:
    wrong = StartError(problem=f"{address!r} is not a valid address.", hint="Example: http://127.0.0.1:8000")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise wrong
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, port, timeout=seconds)


def _local_address(settings: Settings) -> str:
    """Returns the address of OVASABI on this machine: as configured, or else as recorded by the running `up`."""
    from ovasabi.cli.listen import address_of

    run = None if {"host", "port"} & settings.model_fields_set else Home(settings.home).running()
    return address_of(settings) if run is None else run["address"]


def _read(path: Path, hint: str) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not an ASCII text file"
        raise StartError(problem=f"{path} cannot be read: {reason}.", hint=hint) from error


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
