"""Server-sent events: a parser, and the position at which a broken stream is resumed."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ovasabi_client.requests import Request
from ovasabi_client.responses import read, refusal

FAILURES = ("error", "problem")
"""The names of messages that contain an error."""


class Message(msgspec.Struct, frozen=True):
    """One message of a stream."""

    event: str
    data: str


class Reader:
    """Reads a stream incrementally, across reconnections."""

    def __init__(self) -> None:
        self.last_id = ""
        self.pause: float | None = None
        """Seconds to wait before reconnecting, if the server set them."""
        self.begin()

    def begin(self) -> None:
        """Starts a new connection; an incomplete message of the previous one is discarded."""
        self.received = False
        """Whether anything other than an error was received on this connection."""
        self._rest = b""
        self._clear()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that tell the server where to resume."""
        last = {"last-event-id": self.last_id} if self.last_id else {}
        return {"accept": "text/event-stream", "cache-control": "no-store"} | last

    def take(self, chunk: bytes) -> Iterator[Message]:
        """Accepts some bytes, and yields the messages that they complete."""
        # Only a line feed ends a line. JSON may contain others that Python treats as line ends, such as U+2028.
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            message = self._line(line.removesuffix(b"\r").decode(errors="replace"))
            if message is not None:
                self.received = self.received or message.event not in FAILURES
                yield message

    def _line(self, text: str) -> Message | None:
        """Processes one line. A comment, which begins with a colon, is a heartbeat."""
        if not text:
            return self._ended()
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.received = True
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isdigit():
                self.pause = int(value) / 1000
        return None

    def _ended(self) -> Message | None:
        message = Message(self._event or "message", "\n".join(self._data)) if self._data else None
        self.last_id = self._id
        self._clear()
        return message

    def _clear(self) -> None:
        self._event, self._id = "", self.last_id
        self._data: list[str] = []


def value_of(request: Request[Any], message: Message, name: str) -> Any:
    """Returns the value of a message, or its attribute `name`. Raises `ApiError` if the message is an error."""
    if message.event in FAILURES:
        raise refusal(500, message.data.encode())
    value = read(request, message.data.encode())
    return getattr(value, name) if name else value


def silence_limit(request: Request[Any]) -> float:
    """Returns the seconds of silence after which a connection counts as broken: two heartbeats, at least a minute."""
    heartbeat = request.query.get("heartbeat_seconds")
    return max(60.0, 2.0 * heartbeat) if isinstance(heartbeat, int | float) else 60.0
