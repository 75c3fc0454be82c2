"""Reading an answer: its typed value, a page of values, or the error that it tells."""

from typing import Any, Generic, TypeVar

import msgspec

from ovasabi_client.errors import STATUSES
from ovasabi_client.failures import CODES, AnswerUnreadable, ApiError, Problem
from ovasabi_client.requests import Request

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list. `next_page_token` is empty on the last; `total_size` is counted only if asked for."""

    items: list[T]
    next_page_token: str = ""
    total_size: int | None = None


def read(request: Request[T], content: bytes) -> T:
    """The value of a good answer. Fields that this client does not know are passed over."""
    try:
        if request.items is not None:
            content = _renamed(content, request.items)
        return msgspec.json.decode(content, type=request.answer)
    except msgspec.MsgspecError as error:
        raise AnswerUnreadable(f"The answer to {request.method} {request.path} cannot be read: {error}.") from error


def refusal(status: int, content: bytes) -> ApiError:
    """The error that an answer tells, in the class of its code, else of its status."""
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except msgspec.MsgspecError:
        # Not from the server itself, but from something between.
        text = content[:500].decode(errors="replace").strip()
        problem = Problem(status=status, code=f"http_{status}", detail=f"HTTP status {status}: {text}")
    cls = CODES.get(problem.code) or STATUSES.get(problem.status, ApiError)
    return cls(problem)


def _renamed(content: bytes, items: str) -> bytes:
    """A page whose entities are called `items`, whatever their type."""
    page: dict[str, Any] = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    if items in page:
        page["items"] = page.pop(items)
    return msgspec.json.encode(page)
