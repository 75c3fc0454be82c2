"""Lists with keyset pagination: pages neither repeat nor miss rows during concurrent writes."""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from ovasabi.database.connection import Row
from ovasabi.database.pools import Pool
from ovasabi.kernel.call.context import current_campaign
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import Entity, EntityType
from ovasabi.kernel.statements.bounding import PAGE_BYTES
from ovasabi.kernel.statements.writing import Statements
from ovasabi.kernel.store.filters import Condition, parse_filter
from ovasabi.kernel.store.repository import Repository

E = TypeVar("E", bound=Entity)
T = TypeVar("T")
DEFAULT_SIZE, MAX_SIZE = 50, 1000
SMALL_SIZE = 100
"""Pages up to this size are first read on the assumption that their rows are small: of 20 KiB, or more in a smaller
page. If they are not, the page is read again; larger pages often have rows that are not."""
_AHEAD = timedelta(days=1)
"""How far the database's clock may be ahead of ours. Later months contain no rows, and are pruned from the plan."""


class ListRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to list: `filter` and `order_by` over declared fields, a page at a time."""

    page_size: Annotated[
        int, Meta(ge=1, le=MAX_SIZE, description="The most items of a page. A page ends earlier at about 2 MiB.")
    ] = DEFAULT_SIZE
    page_token: Annotated[str, Meta(description="The next_page_token of the previous page.")] = ""
    filter: Annotated[str, Meta(description='For example: state = "published" AND tags:python.')] = ""
    order_by: Annotated[str, Meta(description="A field, optionally followed by asc or desc.")] = ""
    include_total: Annotated[bool, Meta(description="Whether to compute total_size.")] = False


class Page(msgspec.Struct, Generic[E], frozen=True):
    """One page. `next_page_token` is empty on the last page; `total_size` is set only if it was requested.

    A page may have fewer items than were requested although others follow: only the token says whether they do.
    """

    items: list[E]
    next_page_token: str = ""
    total_size: int | None = None


class _Order(msgspec.Struct, frozen=True):
    column: str
    field: str
    base: Any
    descending: bool


class _Token(msgspec.Struct, array_like=True):
    query: str
    value: Any
    id: int


async def list_page(repository: Repository[E], request: ListRequest) -> Page[E]:
    """Returns one page of the entities of the context's campaign, by default the newest first."""
    campaign = current_campaign()
    if not 1 <= request.page_size <= MAX_SIZE:
        raise InvalidValue(field="page_size", problem=f"page_size must be between 1 and {MAX_SIZE}.")
    return await repository.single_flight.run(request, campaign, lambda: _page(repository, request, campaign))


async def list_pages(repositories: Sequence[Repository[E]], request: ListRequest) -> Page[E]:
    """Returns one page of what several servers have, in one order; of a single server, its page."""
    if len(repositories) == 1:
        return await list_page(repositories[0], request)
    pages = [await list_page(repository, request) for repository in repositories]
    of, campaign = repositories[0].of, current_campaign()
    order = _parse_order(of, request.order_by)
    if isinstance(order.base, type) and issubclass(order.base, str):
        problem = "Campaigns on several servers can be ordered by numbers and times only."
        raise InvalidValue(field="order_by", problem=problem, hint="Servers may order texts differently.")
    found, more = _merged(pages, order)
    items = with_room(found, request.page_size)
    more = more or len(found) > len(items)
    total = sum(page.total_size or 0 for page in pages) if request.include_total else None
    return Page(items, _token(order, _query(of, order, request, campaign), items[-1]) if more and items else "", total)


def _merged(pages: Sequence[Page[E]], order: _Order) -> tuple[list[E], bool]:
    """Returns what several pages have in one order, and whether others follow.

    A page may have ended early: what comes after the end of one of them is left for the next page.
    """

    def place(item: E) -> Any:
        return getattr(item, order.field), item.id

    found = sorted((item for page in pages for item in page.items), key=place, reverse=order.descending)
    ends = [found.index(page.items[-1]) for page in pages if page.next_page_token]
    return (found[: min(ends) + 1], True) if ends else (found, False)


def with_room(items: list[T], most: int) -> list[T]:
    """Returns the first items that a page has room for; the first one always has."""
    kept, size = 0, 0
    for item in items[:most]:
        size += len(msgspec.json.encode(item))
        if kept and size > PAGE_BYTES:
            break
        kept += 1
    return items[:kept]


async def _page(repository: Repository[E], request: ListRequest, campaign: int) -> Page[E]:
    of = repository.of
    order = _parse_order(of, request.order_by)
    condition = parse_filter(of, request.filter, 3)
    query = _query(of, order, request, campaign)
    start = _start(order, request, query, 3 + len(condition.values), repository.database.present.now())
    values = [*condition.values, *start.values, request.page_size + 1]
    # With a filter, the index of a filtered field may be better.
    pool = Pool.FOLLOW_INDEX if order.column == "created_at" and not request.filter else Pool.READ
    clauses = condition.sql + start.sql, _order_sql(of, order), f"${len(values) + 2}"
    parameters = scope_of(campaign), campaign, *values
    run = partial(read, repository.database, pool=pool, shaped=bool(condition.sql))
    rows, more = await _bounded(repository.sql, clauses, request.page_size, lambda sql: run(sql, *parameters))
    items = [repository.codec.entity(row) for row in rows]
    total = await _count(repository, condition, campaign) if request.include_total else None
    return Page(items, _token(order, query, items[-1]) if more else "", total)


async def _bounded(
    sql: Statements, clauses: tuple[str, str, str], size: int, run: Callable[[str], Awaitable[list[Row]]]
) -> tuple[list[Row], bool]:
    """Returns the rows that a page has room for, and whether others follow."""
    if size <= SMALL_SIZE:
        rows = await run(sql.list_small(*clauses))
        if all(row["_small"] for row in rows):
            return rows[:size], len(rows) > size
    rows = await run(sql.list(*clauses))
    return rows, bool(rows and rows[-1]["_more"])


async def _count(repository: Repository[E], condition: Condition, campaign: int) -> int:
    sql = repository.sql.count(condition.sql)
    shaped = bool(condition.sql)
    rows = await read(repository.database, sql, scope_of(campaign), campaign, *condition.values, shaped=shaped)
    return int(rows[0]["total"])


def _parse_order(of: EntityType, text: str) -> _Order:
    words = text.split()
    if not words:
        return _Order("created_at", "created_at", datetime, True)
    name = words[0]
    if len(words) > 2 or (len(words) == 2 and words[1].lower() not in ("asc", "desc")) or "," in text:
        raise InvalidValue(field="order_by", problem="order_by must be one field, optionally followed by asc or desc.")
    descending = len(words) == 2 and words[1].lower() == "desc"
    if name == "created_at":
        return _Order(name, name, datetime, descending)
    field = of.by_name.get(name)
    if field is None or not field.sortable or field.nullable:
        allowed = ", ".join(["created_at", *(f.name for f in of.fields if f.sortable and not f.nullable)])
        raise InvalidValue(
            field="order_by", problem=f"{of.name} cannot be ordered by {name!r}.", hint=f"Allowed: {allowed}."
        )
    return _Order(field.column, name, field.base, descending)


def _order_sql(of: EntityType, order: _Order) -> str:
    direction = " DESC" if order.descending else ""
    return f"s.{order.column}{direction}, s.master_id{direction}"


def _start(order: _Order, request: ListRequest, query: str, first: int, present: datetime) -> Condition:
    """Returns the condition for the rows after the previous page; on the first page of the newest, those up to now."""
    if not request.page_token:
        if order.column != "created_at" or not order.descending:
            return Condition("", ())
        return Condition(f" AND s.created_at <= ${first}", (present + _AHEAD,))
    wrong = InvalidValue(
        field="page_token",
        problem="The page token does not belong to this list.",
        hint="Omit it to start from the first page.",
    )
    try:
        raw = base64.urlsafe_b64decode(request.page_token.encode() + b"==")
        token = msgspec.json.decode(raw, type=_Token)
        value = msgspec.convert(token.value, order.base, strict=False)
    except (ValueError, msgspec.MsgspecError):
        raise wrong from None
    # base64 and JSON are lenient, too: a token has one spelling.
    if token.query != query or not 0 <= token.id < 1 << 63 or _spelled(token) != request.page_token:
        raise wrong
    value = value.value if hasattr(value, "value") else value
    sign = "<" if order.descending else ">"
    sql = f" AND (s.{order.column}, s.master_id) {sign} (${first}, ${first + 1})"
    if order.column == "created_at":
        sql += f" AND s.created_at {sign}= ${first}"  # A row comparison does not prune partitions; this one does.
    return Condition(sql, (value, token.id))


def _token(order: _Order, query: str, last: Entity) -> str:
    return _spelled(_Token(query, getattr(last, order.field), last.id))


def _spelled(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _query(of: EntityType, order: _Order, request: ListRequest, campaign: int) -> str:
    text = f"{of.name}\0{order.field}\0{order.descending}\0{request.filter}\0{campaign}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
