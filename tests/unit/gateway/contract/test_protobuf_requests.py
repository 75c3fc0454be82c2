"""A request over gRPC is read as strictly as over HTTP, and refused with the same field and the same sentence."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from ovasabi.gateway.contract.protobuf.contract import Rpc
from ovasabi.gateway.wire.problems import BadRequest, unreadable
from ovasabi.kernel.declare.methods import MethodKind, Resource
from tests.unit.gateway.contract.fixtures import RPCS, probe, rpc_of, sent

CREATE, UPDATE, GET = RPCS["contents_create"], RPCS["contents_update"], RPCS["contents_get"]
LIST, REACT, EVENTS = RPCS["contents_list"], RPCS["contents_react"], RPCS["events_list"]


def refusal(rpc: Rpc, **fields: Any) -> BadRequest:
    """What a request is refused with."""
    with pytest.raises(BadRequest) as caught:
        rpc.call(sent(rpc, rpc.request_class(**fields)))
    return caught.value


def over_http(rpc: Rpc, body: bytes) -> BadRequest:
    """What the same is refused with as JSON."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=rpc.method.request)
    return unreadable(caught.value, rpc.method.request)


def same(one: BadRequest, other: BadRequest) -> bool:
    return (one.field, str(one), one.hint) == (other.field, str(other), other.hint)


@pytest.mark.parametrize(
    ("rpc", "fields", "body"),
    [
        (CREATE, {"campaign": "a", "content": {}}, b"{}"),
        (CREATE, {"campaign": "a"}, b"{}"),
        (CREATE, {"campaign": "a", "content": {"title": ""}}, b'{"title": ""}'),
        (CREATE, {"campaign": "a", "content": {"title": "t", "tags": ["a", ""]}}, b'{"title": "t", "tags": ["a", ""]}'),
        (CREATE, {"campaign": "a", "content": {"title": "t", "slug": "A B"}}, b'{"title": "t", "slug": "A B"}'),
        (REACT, {"campaign": "a", "id": "1", "kind": 1}, b'{"kind": "like"}'),
        (
            RPCS["quotes_create"],
            {"campaign": "a", "quote": {"description": "d", "amount": "x", "currency": "EUR"}},
            b'{"description": "d", "amount": "x", "currency": "EUR"}',
        ),
    ],
)
def test_what_is_refused_over_http_is_refused_in_the_same_words(rpc: Rpc, fields: Any, body: bytes) -> None:
    assert same(refusal(rpc, **fields), over_http(rpc, body))


@pytest.mark.parametrize(("number", "shown"), [(0, "CONTENT_KIND_UNSPECIFIED"), (77, "77"), (-1, "-1")])
def test_a_value_that_is_none_of_an_enum_is_refused_by_its_name(number: int, shown: str) -> None:
    error = refusal(CREATE, campaign="a", content={"title": "t", "kind": number})
    assert (error.field, str(error)) == ("kind", f"kind has the value '{shown}', which is not allowed.")


def test_a_value_that_is_left_out_has_its_default_and_zero_is_no_default() -> None:
    draft = CREATE.call(sent(CREATE, CREATE.request_class(campaign="a", content={"title": "t"}))).request
    assert draft == CREATE.method.request(title="t")
    assert LIST.call(LIST.request_class(campaign="a")).request.page_size == 50
    assert refusal(LIST, campaign="a", page_size=0).field == "page_size"
    assert refusal(EVENTS, page_size=0).field == "page_size"


def test_without_a_mask_what_is_there_is_set_and_lists_that_are_not_empty() -> None:
    message = UPDATE.request_class(campaign="a", id="1", content={"body": "", "tags": ["x"]})
    patch = UPDATE.call(sent(UPDATE, message)).request
    assert (patch.body, patch.tags) == ("", ["x"])
    assert all(value is UNSET for name, value in msgspec.structs.asdict(patch).items() if name not in ("body", "tags"))


def test_with_a_mask_exactly_what_it_names_is_set_and_what_is_not_there_emptied() -> None:
    content = {"title": "t", "body": "not named", "author_id": 7}
    mask = {"paths": ["title", "slug", "tags"]}
    patch = UPDATE.call(UPDATE.request_class(campaign="a", id="1", content=content, update_mask=mask)).request
    assert patch == UPDATE.method.request(title="t", slug=None, tags=[])


def test_a_mask_cannot_empty_what_may_not_be_null() -> None:
    error = refusal(UPDATE, campaign="a", id="1", update_mask={"paths": ["title"]})
    assert same(error, over_http(UPDATE, b'{"title": null}'))


def test_a_map_is_emptied_by_a_mask() -> None:
    rpc = RPCS["variants_update"]
    message = rpc.request_class(campaign="a", id="1", update_mask={"paths": ["attributes"]})
    assert rpc.call(message).request == rpc.method.request(attributes={})


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("titel", "Did you mean 'title'?"),
        ("metadata.a", "Did you mean 'metadata'?"),
        ("*", "Available fields: title, "),
    ],
)
def test_an_unknown_name_in_a_mask_is_refused_with_the_name_that_was_meant(path: str, hint: str) -> None:
    error = refusal(UPDATE, campaign="a", id="1", update_mask={"paths": ["body", path]})
    assert (error.field, str(error)) == (path, f"Unknown field {path!r}.")
    assert (error.hint or "").startswith(hint)


@pytest.mark.parametrize("version", [0, -1, -(2**63)])
def test_a_version_below_one_is_refused(version: int) -> None:
    assert refusal(UPDATE, campaign="a", id="1", expected_version=version).field == "expected_version"


def test_a_version_key_and_moment_arrive_and_are_none_if_left_out() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    assert UPDATE.call(UPDATE.request_class(campaign="a", id="1", expected_version=4)).expected_version == 4
    assert UPDATE.call(UPDATE.request_class(campaign="a", id="1")).expected_version is None
    keyed = CREATE.request_class(campaign="a", content={"title": "t"}, idempotency_key="k")
    assert CREATE.call(keyed).key == "client:k"
    assert CREATE.call(CREATE.request_class(campaign="a", content={"title": "t"})).key is None
    assert GET.call(GET.request_class(campaign="a", id="1", as_of=at)).as_of == at
    assert GET.call(GET.request_class(campaign="a", id="1")).as_of is None


@pytest.mark.parametrize("key", ["", "with space", "é", "x" * 191])
def test_a_malformed_key_is_refused(key: str) -> None:
    assert refusal(CREATE, campaign="a", content={"title": "t"}, idempotency_key=key).field == "idempotency_key"


@pytest.mark.parametrize("at", [{"seconds": 10**12}, {"seconds": -(10**12)}, {"nanos": -1}, {"nanos": 10**9}])
def test_what_is_no_moment_is_refused(at: dict[str, int]) -> None:
    assert refusal(GET, campaign="a", id="1", as_of=at).field == "as_of"
    quote = {"description": "d", "amount": "1", "currency": "EUR", "valid_until": at}
    assert refusal(RPCS["quotes_create"], campaign="a", quote=quote).field == "valid_until"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_say_is_refused(number: float) -> None:
    message: Any = CREATE.request_class(campaign="a", content={"title": "t"})
    message.content.metadata["n"] = [number]
    with pytest.raises(BadRequest) as caught:
        CREATE.call(sent(CREATE, message))
    assert caught.value.field == "metadata"

    class Weight(msgspec.Struct, frozen=True):
        """A number."""

        __module__ = "ovasabi.services.probe.entity"
        grams: float

    assert refusal(rpc_of(probe("weigh", MethodKind.VERB, Weight)), campaign="a", grams=number).field == "grams"


def test_the_campaign_is_named_where_it_must_be_and_the_platform_by_leaving_it_out() -> None:
    assert GET.campaign(GET.request_class(campaign="python", id="1")) == "python"
    assert EVENTS.campaign(EVENTS.request_class(campaign="python")) == "python"
    assert EVENTS.campaign(EVENTS.request_class()) is None
    assert RPCS["users_list"].campaign(RPCS["users_list"].request_class()) is None
    assert RPCS["campaigns_get"].call(RPCS["campaigns_get"].request_class(campaign="python")).target is None


@pytest.mark.parametrize(
    ("rpc", "fields", "field"),
    [
        (GET, {"id": "1"}, "campaign"),
        (GET, {"campaign": "", "id": "1"}, "campaign"),
        (GET, {"campaign": "a"}, "id"),
        (EVENTS, {"campaign": ""}, "campaign"),
        (RPCS["campaigns_get"], {}, "campaign"),
    ],
)
def test_no_call_is_made_without_what_it_is_called_on(rpc: Rpc, fields: dict[str, str], field: str) -> None:
    assert refusal(rpc, **fields).field == field


def test_a_watch_streams_and_any_other_method_answers_once() -> None:
    watched = rpc_of(
        probe("watch", MethodKind.WATCH, EVENTS.method.request, EVENTS.method.response, resource=Resource.EITHER)
    )
    assert watched.streams
    assert not any(rpc.streams for rpc in RPCS.values() if rpc.method.operation is not MethodKind.WATCH)
    method = watched.request_class.DESCRIPTOR.file.services_by_name["Probes"].methods_by_name["WatchProbes"]
    assert (method.server_streaming, method.client_streaming) == (True, False)
