"""A page token continues the list that gave it, and no other."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.declare.entity import type_of
from ovasabi.kernel.store.filters import Condition
from ovasabi.kernel.store.listing import ListRequest, _order_sql, _parse_order, _query, _start, _token
from ovasabi.services.content.entity import Content
from ovasabi.services.product.entity import Product

CONTENT = type_of(Content)
AT = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)


def content(id: int = 5, at: datetime = AT, **values: object) -> Content:
    """A content as a page ends with."""
    kept = {"id": id, "uuid": UUID(int=0), "campaign_id": 1, "version": 1, "created_at": at, "updated_at": at}
    return Content(**kept, title="t", **values)


def token(last: Content, *, campaign: int = 1, of=CONTENT, **request: str) -> str:
    """The token after an entity."""
    wanted = ListRequest(**request)
    order = _parse_order(of, wanted.order_by)
    return _token(order, _query(of, order, wanted, campaign), last)


def spelled(raw: bytes) -> str:
    """A token's text."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def place(page_token: str, *, campaign: int = 1, of=CONTENT, **request: str) -> Condition:
    """Where a token goes on."""
    wanted = ListRequest(page_token=page_token, **request)
    order = _parse_order(of, wanted.order_by)
    return _start(order, wanted, _query(of, order, wanted, campaign), 3, AT)


@given(st.integers(0, 2**53 - 1), st.datetimes(timezones=st.just(UTC)))
def test_a_token_gives_back_the_place_where_its_page_ended(id, at) -> None:
    assert place(token(content(id, at))).values == (at, id)


@pytest.mark.parametrize(
    ("order_by", "sql"),
    [
        ("", "s.created_at DESC, s.master_id DESC"),
        ("created_at", "s.created_at, s.master_id"),
        ("created_at desc", "s.created_at DESC, s.master_id DESC"),
        ("state ASC", "s.state, s.master_id"),
        ("kind Desc", "s.kind DESC, s.master_id DESC"),
    ],
)
def test_every_order_ends_with_the_id_so_that_it_is_total(order_by, sql) -> None:
    assert _order_sql(CONTENT, _parse_order(CONTENT, order_by)) == sql


@pytest.mark.parametrize("order_by", ["", "created_at", "state", "state desc"])
def test_a_place_lies_behind_the_last_row_in_the_lists_own_direction(order_by) -> None:
    sql = place(token(content(), order_by=order_by), order_by=order_by).sql
    column = order_by.split()[0] if order_by else "created_at"
    sign = "<" if order_by in ("", "state desc") else ">"
    assert f"(s.{column}, s.master_id) {sign} ($3, $4)" in sql


@pytest.mark.parametrize(
    "order_by",
    ["title", "nothing", "tags", "state sideways", "state, kind", "state desc kind", "slug", "author_id", "id;--"],
)
def test_an_order_by_anything_else_is_refused(order_by) -> None:
    with pytest.raises(InvalidValue) as caught:
        _parse_order(CONTENT, order_by)
    assert caught.value.field == "order_by"


def test_a_token_of_another_list_is_refused() -> None:
    mine = token(content(), filter="state=draft")
    assert place(mine, filter="state=draft").values
    others: list[dict] = [{}, {"filter": "state=published"}, {"filter": "state=draft", "order_by": "created_at"}]
    others += [{"filter": "state=draft", "campaign": 2}, {"filter": "state=draft", "of": type_of(Product)}]
    for other in others:
        with pytest.raises(InvalidValue) as caught:
            place(mine, **other)
        assert caught.value.field == "page_token"


@given(st.text(min_size=1) | st.binary(min_size=1).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_anything_else_is_refused_as_the_callers_mistake(text) -> None:
    with pytest.raises(InvalidValue):
        place(text)


def test_another_spelling_of_a_token_is_refused() -> None:
    genuine = token(content())
    raw = base64.urlsafe_b64decode(genuine + "==")
    assert spelled(raw) == genuine
    for other in (f"{genuine}==", f" {genuine}", f"{genuine}\n", f"{genuine[:4]}*{genuine[4:]}", spelled(raw + b" ")):
        with pytest.raises(InvalidValue):
            place(other)


@pytest.mark.parametrize("id", [-1, 1 << 63, "5", None, 1.5])
def test_a_token_with_a_forged_id_is_refused(id) -> None:
    genuine = msgspec.json.decode(base64.urlsafe_b64decode(token(content()) + "=="))
    genuine[2] = id
    with pytest.raises(InvalidValue):
        place(spelled(msgspec.json.encode(genuine)))


@pytest.mark.parametrize("value", ["draft", None, [], {}])
def test_a_token_with_a_forged_value_is_refused(value) -> None:
    genuine = msgspec.json.decode(base64.urlsafe_b64decode(token(content()) + "=="))
    genuine[1] = value
    with pytest.raises(InvalidValue):
        place(spelled(msgspec.json.encode(genuine)))
