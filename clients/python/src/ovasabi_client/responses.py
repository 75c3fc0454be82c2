"""Decodes responses: typed values, pages of values, and errors."""

from typing import Any, Generic, TypeVar

import msgspec

from ovasabi_client.errors import STATUSES
from ovasabi_client.failures import CODES, ApiError, Problem, ResponseUnreadable
from ovasabi_client.requests import Request

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a list. `next_page_token` is empty on the last page; `total_size` is counted only on request."""

    items: list[T]
    next_page_token: str = ""
    total_size: int | None = None


def read(request: Request[T], content: bytes) -> T:
    """Returns the value of a successful response. Unknown fields are ignored."""
    try:
        if request.items is not None:
            content = _renamed(content, request.items)
        return msgspec.json.decode(content, type=request.response)
    except msgspec.MsgspecError as error:
        raise ResponseUnreadable(
            f"The response to {request.method} {request.path} cannot be decoded: {error}."
        ) from error


def refusal(status: int, content: bytes) -> ApiError:
    """Returns the error in a response, as an instance of the class of its code or, failing that, of its status."""
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except msgspec.MsgspecError:
        # The response comes from a proxy in between, not from the server itself.
        text = content[:500].decode(errors="replace").strip()
        problem = Problem(status=status, code=f"http_{status}", detail=f"HTTP status {status}: {text}")
    cls = CODES.get(problem.code) or STATUSES.get(problem.status, ApiError)
    return cls(problem)


def _renamed(content: bytes, items: str) -> bytes:
    """Renames the list of entities of a page to `items`."""
    page: dict[str, Any] = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    if items in page:
        page["items"] = page.pop(items)
    return msgspec.json.encode(page)
