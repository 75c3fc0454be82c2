"""When a call is sent again: bounded, with growing pauses, and only where it does no harm."""

import random
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from ovasabi_client.failures import ApiError, ConnectionFailed
from ovasabi_client.requests import Request

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
_REFUSED_UNDONE = 429
_NOT_ANSWERED = (502, 503)
_PASSING = ("unavailable", "exhausted")
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_NEVER_SENT = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)
"""What cannot be sent at all, such as a header that is none."""


class Retries(msgspec.Struct):
    """The retries of one call: each answers for how many seconds to wait, or None if it is not sent again."""

    repeatable: bool
    left: int
    pause: float = FIRST_PAUSE

    def after_answer(self, status: int, headers: Mapping[str, str]) -> float | None:
        """After an answer: 429 was not done at all; after 502 and 503 that is not known."""
        if status == _REFUSED_UNDONE or (status in _NOT_ANSWERED and self.repeatable):
            return self._next(headers.get("retry-after"))
        return None

    def after_loss(self, request: Request[Any], error: httpx.TransportError) -> float:
        """After a connection was lost or not made; raises if it is not sent again."""
        again = (self.repeatable or isinstance(error, _NOT_SENT)) and not isinstance(error, _NEVER_SENT)
        wait = self._next(None) if again else None
        if wait is None:
            reason = str(error) or type(error).__name__
            raise ConnectionFailed(f"{request.method} {request.path} had no answer: {reason}.") from error
        return wait

    def after_break(self, request: Request[Any], error: ApiError | httpx.TransportError, asked: float | None) -> float:
        """After a stream broke; `asked` are the seconds that the server said. Raises if it is not taken up again."""
        if not isinstance(error, ApiError):
            wait = self.after_loss(request, error)
        elif error.kind not in _PASSING or (again := self._next(None)) is None:
            raise error
        else:
            wait = again
        return wait if asked is None else min(asked, LONGEST_PAUSE)

    def _next(self, asked: str | None) -> float | None:
        if self.left <= 0:
            return None
        self.left -= 1
        pause, self.pause = self.pause, self.pause * 2
        # Callers that were refused together come back apart.
        wait = max(pause * random.uniform(0.5, 1.5), float(asked) if asked and asked.isdigit() else 0.0)
        return min(wait, LONGEST_PAUSE)
