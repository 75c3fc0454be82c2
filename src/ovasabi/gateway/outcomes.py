"""Counts how calls of methods end, for the metrics: by door, method, HTTP status and code."""

from collections.abc import Awaitable
from typing import TypeVar

import msgspec

from ovasabi.gateway.exception_mapping import mapped
from ovasabi.gateway.status_codes import http_status
from ovasabi.kernel.declare.methods import Method

T = TypeVar("T")
CANCELLED = "cancelled"
"""The code of a call whose client was gone before its end."""


class Outcome(msgspec.Struct, frozen=True):
    """How a call ended. There are only as many as declared methods and errors allow."""

    door: str
    method: str
    status: int
    code: str


Outcomes = dict[Outcome, int]


def _ending(error: Exception) -> tuple[int, str]:
    # Apart, since a variable that holds an error keeps its traceback, and with it the request, until a full collection.
    public = mapped(error)
    return http_status(public), public.code


async def counted(outcomes: Outcomes, door: str, method: Method, call: Awaitable[T]) -> T:
    """Performs a call, and counts how it ended; a stream counts when it begins."""
    status, code = 499, CANCELLED
    try:
        result = await call
        status, code = 200, "ok"
        return result
    except Exception as error:
        status, code = _ending(error)
        raise
    finally:
        outcome = Outcome(door, method.id, status, code)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
