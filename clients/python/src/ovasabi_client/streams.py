"""Server-sent events: lines put together to messages, and the place from which a broken stream is taken up again."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ovasabi_client.answers import read, refusal
from ovasabi_client.requests import Request

FAILURES = ("error", "problem")
"""Names of messages that tell an error instead of an answer."""


class Message(msgspec.Struct, frozen=True):
    """One message of a stream."""

    event: str
    data: str


class Reader:
    """Reads a stream as its bytes come in, over as many connections as it takes."""

    def __init__(self) -> None:
        self.last_id = ""
        self.pause: float | None = None
        """Seconds to wait before a new connection, if the server said so."""
        self.begin()

    def begin(self) -> None:
        """A new connection: what was half read of the one before counts for nothing."""
        self.heard = False
        """Whether anything came on this connection but an error."""
        self._rest = b""
        self._clear()

    @property
    def headers(self) -> dict[str, str]:
        """Where the server is to go on."""
        last = {"last-event-id": self.last_id} if self.last_id else {}
        return {"accept": "text/event-stream", "cache-control": "no-store"} | last

    def take(self, chunk: bytes) -> Iterator[Message]:
        """Takes some bytes, and answers the messages that they complete."""
        # Only these bytes end a line: JSON may hold others that Python calls line ends, such as U+2028.
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            message = self._line(line.removesuffix(b"\r").decode(errors="replace"))
            if message is not None:
                self.heard = self.heard or message.event not in FAILURES
                yield message

    def _line(self, text: str) -> Message | None:
        """A comment, which begins with the colon, is a heartbeat: there is nothing to tell."""
        if not text:
            return self._ended()
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.heard = True
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
        made = Message(self._event or "message", "\n".join(self._data)) if self._data else None
        self.last_id = self._id
        self._clear()
        return made

    def _clear(self) -> None:
        self._event, self._id = "", self.last_id
        self._data: list[str] = []


def told(request: Request[Any], message: Message, name: str) -> Any:
    """What a message tells: all that it holds, or of that the part called `name`. Raises the error if it is one."""
    if message.event in FAILURES:
        raise refusal(500, message.data.encode())
    answer = read(request, message.data.encode())
    return getattr(answer, name) if name else answer


def silence(request: Request[Any]) -> float:
    """After how many silent seconds a connection is taken for broken: two signs of life, or a minute."""
    asked = request.query.get("heartbeat_seconds")
    return max(60.0, 2.0 * asked) if isinstance(asked, int | float) else 60.0
