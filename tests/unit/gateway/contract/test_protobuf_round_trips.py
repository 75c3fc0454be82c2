"""What one process sends another through the contract arrives as it was: every request and answer of every method."""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from types import ModuleType
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ovasabi.kernel.declare.metadata import MAX_DEPTH
from ovasabi.kernel.declare.methods import Call, Method, MethodKind
from ovasabi.kernel.events.log import Event
from ovasabi.kernel.service import Found, SearchResponse
from ovasabi.kernel.store.listing import Page
from ovasabi.services.content.entity import Content
from ovasabi.system.events.service import EventPage
from ovasabi.system.user.entity import User
from tests.unit.gateway.contract.fixtures import METHODS, RPCS, answered, call_of, probe, requests, rpc_of, sent, values

MANY = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
by_id = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.id)
of_each_answer = pytest.mark.parametrize(
    "method", {str(method.response): method for method in METHODS}.values(), ids=lambda method: method.id
)


HOME = "ovasabi.services.probe.entity"


class Hue(StrEnum):
    """An enum."""

    __module__ = HOME

    RED = "red"
    DARK_BLUE = "dark-blue"


class Inner(msgspec.Struct, frozen=True):
    """A struct within another."""

    __module__ = HOME

    hue: Hue
    at: datetime | None = None
    words: list[str] = msgspec.field(default_factory=list)


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    """One field of each type that can be carried, plain and nullable."""

    __module__ = HOME

    text: str
    whole: int
    truth: bool
    real: float
    raw: bytes
    day: date
    moment: datetime
    uuid: UUID
    amount: Decimal
    hue: Hue
    word: Literal["a", "b"]
    free: dict[str, Any]
    inner: Inner
    texts: list[str]
    wholes: list[int]
    moments: list[datetime]
    hues: list[Hue]
    amounts: list[Decimal]
    frees: list[dict[str, Any]]
    inners: list[Inner]
    counts: dict[str, int]
    named: dict[str, str]
    prices: dict[str, Decimal]
    text_or_null: str | None
    whole_or_null: int | None
    real_or_null: float | None
    truth_or_null: bool | None
    raw_or_null: bytes | None
    day_or_null: date | None
    moment_or_null: datetime | None
    uuid_or_null: UUID | None
    amount_or_null: Decimal | None
    hue_or_null: Hue | None
    free_or_null: dict[str, Any] | None
    inner_or_null: Inner | None


EVERYTHING = probe("everything", MethodKind.VERB, Everything, Everything)


@of_each_answer
@MANY
@given(data=st.data())
def test_an_answer_arrives_as_it_was(method: Method, data: st.DataObject) -> None:
    kind = Page[method.subject.entity] if method.operation is MethodKind.LIST and method.subject.entity else None
    value = None if method.response is None else data.draw(values(kind or method.response))
    back = answered(RPCS[method.id], value)
    assert back == value
    assert type(back) is type(value)


@by_id
@MANY
@given(data=st.data())
def test_a_call_arrives_as_it_was(method: Method, data: st.DataObject) -> None:
    rpc = RPCS[method.id]
    call = call_of(method, None if method.request is None else data.draw(requests(method)))
    assert rpc.call(sent(rpc, rpc.request(call))) == call


@MANY
@given(value=values(Everything))
def test_every_type_arrives_as_it_was_in_an_answer_and_in_a_request(value: Everything) -> None:
    rpc = rpc_of(EVERYTHING)
    assert answered(rpc, value) == value
    assert rpc.call(sent(rpc, rpc.request(call_of(EVERYTHING, value)))).request == value


def test_a_moment_keeps_its_microseconds_and_is_told_in_utc() -> None:
    rpc = RPCS["contents_get"]
    at = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    call = rpc.call(sent(rpc, rpc.request(Call(rpc.method, "python", "17", as_of=at))))
    assert call.as_of == at
    assert call.as_of is not None
    assert call.as_of.tzinfo is UTC


def test_whole_numbers_in_free_attributes_come_back_as_int_and_others_as_float() -> None:
    event = {"n": 3, "x": 2.5, "big": 1e300, "list": [1, [2.0]], "in": {"k": -7}, "none": None, "yes": True}
    draft = msgspec.convert({"title": "t", "metadata": {"a": event}}, RPCS["contents_create"].method.request)
    rpc = RPCS["contents_create"]
    back = rpc.call(sent(rpc, rpc.request(call_of(rpc.method, draft)))).request.metadata["a"]
    assert back == event
    assert [type(back[name]) for name in event] == [int, float, float, list, dict, type(None), bool]
    assert type(back["list"][1][0]) is int


def test_what_is_null_empty_or_left_out_of_a_patch_stays_so() -> None:
    rpc = RPCS["contents_update"]
    given = {"slug": None, "body": "", "tags": [], "author_id": None, "metadata": {}}
    patch = rpc.method.request(**given)
    back = rpc.call(sent(rpc, rpc.request(call_of(rpc.method, patch)))).request
    assert back == patch
    assert back.media_urls is msgspec.UNSET


def test_no_secret_is_ever_in_an_answer() -> None:
    rpc = RPCS["users_get"]
    assert "password" not in rpc.response_class.DESCRIPTOR.fields_by_name
    assert (
        "password" in RPCS["users_create"].request_class.DESCRIPTOR.fields_by_name["user"].message_type.fields_by_name
    )
    at = datetime(2026, 11, 21, tzinfo=UTC)
    names = {"username": "ann", "email": "ann@example.org", "password": "a secret"}
    user = User(id=1, uuid=UUID(int=1), campaign_id=0, version=1, created_at=at, updated_at=at, **names)
    assert b"a secret" not in rpc.response(user).SerializeToString()


def test_a_key_of_the_process_itself_is_not_sent_as_if_a_client_had_given_it() -> None:
    rpc = RPCS["contents_create"]
    draft = rpc.method.request(title="t")
    with pytest.raises(ValueError, match="internal to this process"):
        rpc.request(Call(rpc.method, "python", request=draft, key="sample:x"))


def test_an_answer_of_a_newer_server_with_an_unknown_value_is_refused_not_guessed() -> None:
    rpc = RPCS["contents_get"]
    at = datetime(2026, 11, 21, tzinfo=UTC)
    content = Content(id=1, uuid=UUID(int=1), campaign_id=1, version=1, created_at=at, updated_at=at, title="t")
    message: Any = rpc.response(content)
    message.kind = 99
    with pytest.raises(ValueError, match="99"):
        rpc.value(message)
    message.ClearField("kind")
    with pytest.raises(ValueError, match="unknown enum value: 0"):
        rpc.value(message)


def test_a_method_without_an_answer_answers_protobufs_own_nothing() -> None:
    rpc = rpc_of(probe("forget", MethodKind.VERB))
    assert rpc.response_class.DESCRIPTOR.full_name == "google.protobuf.Empty"
    assert answered(rpc, None) is None


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["lists", "objects"])
def test_metadata_as_deep_as_may_be_is_read_wherever_it_stands(wrap: Callable[[Any], Any]) -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH - 1):
        deep = wrap(deep)
    at = datetime(2026, 11, 21, tzinfo=UTC)
    common = {"uuid": UUID(int=1), "campaign_id": 1, "version": 1, "created_at": at, "updated_at": at}
    content = Content(id=1, title="t", metadata={"tags": deep}, **common)
    page, hits = Page([content]), SearchResponse([Found(0.5, content)], 1, False)
    assert answered(RPCS["contents_list"], page) == page
    assert answered(RPCS["contents_search"], hits) == hits
    payload = {"metadata": content.metadata}
    event = Event(1, "content:create:v1:success", 1, 1, 1, at, "ann", None, None, payload, "1-1")
    assert answered(RPCS["events_list"], EventPage([event], "1-1")) == EventPage([event], "1-1")


def test_a_whole_number_beyond_all_doubles_does_not_keep_an_entity_from_being_read() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    common = {"uuid": UUID(int=1), "campaign_id": 1, "version": 1, "created_at": at, "updated_at": at}
    content = Content(id=1, title="t", metadata={"tags": [10**400, -(10**400), 2**60]}, **common)
    assert answered(RPCS["contents_get"], content).metadata == {"tags": [str(10**400), str(-(10**400)), 2**60]}


def test_a_struct_that_holds_its_own_kind_arrives_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(HOME)
    monkeypatch.setitem(sys.modules, HOME, module)
    source = (
        "class Tree(Struct, frozen=True):\n    name: str\n    below: list['Tree'] = []\n    twin: 'Tree | None' = None"
    )
    exec(source, {"__name__": HOME, "Struct": msgspec.Struct} | vars(module), vars(module))
    tree = module.Tree
    rpc = rpc_of(probe("grow", MethodKind.VERB, tree, tree))
    value = tree("a", [tree("b", [tree("c")]), tree("d")], tree("e"))
    assert answered(rpc, value) == value
    assert rpc.call(sent(rpc, rpc.request(call_of(rpc.method, value)))).request == value
