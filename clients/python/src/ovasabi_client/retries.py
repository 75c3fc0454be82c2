"""Retries: bounded, with exponential backoff, and only if repeating the call is safe."""

import random
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from ovasabi_client.failures import ApiError, ConnectionFailed
from ovasabi_client.requests import Request

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
_NOT_EXECUTED = 429
_PERHAPS_EXECUTED = (502, 503)
_TRANSIENT = ("unavailable", "exhausted")
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_UNSENDABLE = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)
"""Errors of requests that can never be sent, for example because of an invalid header."""


class Retries(msgspec.Struct):
    """The retries of one call. Its methods return the seconds to wait, or None if the call must not be repeated."""

    repeatable: bool
    left: int
    pause: float = FIRST_PAUSE

    def after_response(self, status: int, headers: Mapping[str, str]) -> float | None:
        """After an error response: 429 was not executed; 502 and 503 may have been."""
        if status == _NOT_EXECUTED or (status in _PERHAPS_EXECUTED and self.repeatable):
            return self._next(headers.get("retry-after"))
        return None

    def after_loss(self, request: Request[Any], error: httpx.TransportError) -> float:
        """After a connection failed or was lost. Raises `ConnectionFailed` if the call must not be repeated."""
        again = (self.repeatable or isinstance(error, _NOT_SENT)) and not isinstance(error, _UNSENDABLE)
        wait = self._next(None) if again else None
        if wait is None:
            reason = str(error) or type(error).__name__
            raise ConnectionFailed(f"{request.method} {request.path} received no response: {reason}.") from error
        return wait

    def after_break(self, request: Request[Any], error: ApiError | httpx.TransportError, pause: float | None) -> float:
        """After a stream broke; `pause` is the one that the server set. Raises if it must not be resumed."""
        if not isinstance(error, ApiError):
            wait = self.after_loss(request, error)
        elif error.kind not in _TRANSIENT or (again := self._next(None)) is None:
            raise error
        else:
            wait = again
        return wait if pause is None else min(pause, LONGEST_PAUSE)

    def _next(self, requested: str | None) -> float | None:
        if self.left <= 0:
            return None
        self.left -= 1
        pause, self.pause = self.pause, self.pause * 2
        # Jitter: callers that were refused at the same time do not all return at the same time.
        wait = max(pause * random.uniform(0.5, 1.5), float(requested) if requested and requested.isdigit() else 0.0)
        return min(wait, LONGEST_PAUSE)
