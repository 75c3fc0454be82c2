"""Wrong input over gRPC: a clear status with details, whatever was sent, and never the inside of the server."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio

from ovasabi.gateway.wire.limits import MAX_BODY_BYTES
from tests.integration.gateway.grpc_fixtures import Refused, Wire, rpcs

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
MOST = 2**63 - 1


@pytest_asyncio.fixture
async def wire(addresses: tuple[str, str], operator: httpx.AsyncClient) -> AsyncIterator[Wire]:
    """Calls with an admin key of the platform."""
    async with Wire(addresses[1], operator.headers["authorization"]) as opened:
        yield opened


@pytest.fixture
def campaign(shop: str) -> str:
    """The slug of a new campaign."""
    return shop.rpartition("/")[2]


@pytest.fixture(autouse=True)
def silence(caplog: pytest.LogCaptureFixture) -> Any:
    """No test here may leave a failure in the log."""
    caplog.set_level(logging.WARNING)
    yield
    assert [record.getMessage() for record in caplog.records] == []


def assert_refused(told: Any, status: grpc.StatusCode, field: str | None, code: str | None = None) -> None:
    """The answer is a refusal with all of its details, which say the same as the status itself."""
    assert isinstance(told, Refused), told
    assert (told.status, told.field) == (status, field), told
    assert {"ErrorInfo", "RequestInfo"} <= set(told.details)
    assert told.code
    assert told.code == (code or told.code)
    assert told.text.endswith((".", "…"))
    assert "Traceback" not in told.text
    assert "asyncpg" not in told.text
    assert told.details["RequestInfo"].request_id == told.trailing["x-correlation-id"]


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x08", b"\x0b" * 200])
async def test_bytes_that_are_no_message_are_refused(wire: Wire, body: bytes) -> None:
    for name in ("CreateContent", "ListCampaigns", "WatchEvents"):
        assert_refused(await wire.ask(name, body), INVALID, None, "invalid_request")


async def test_text_that_is_no_utf_8_is_refused(wire: Wire, campaign: str) -> None:
    name = rpcs()["GetContent"].request_class(campaign=campaign, id="ab").SerializeToString()
    assert b"ab" in name
    assert_refused(await wire.ask("GetContent", name.replace(b"ab", b"\xc3\x28")), INVALID, None, "invalid_request")
    draft = rpcs()["CreateContent"].request_class(campaign=campaign, content={"title": "ab"}).SerializeToString()
    assert_refused(await wire.ask("CreateContent", draft.replace(b"ab", b"\xed\xa0")), INVALID, None, "invalid_request")


async def test_unknown_fields_of_a_message_are_passed_over(wire: Wire, campaign: str) -> None:
    message = rpcs()["CreateContent"].request_class(campaign=campaign, content={"title": "known"})
    made = await wire.ask("CreateContent", message.SerializeToString() + b"\xf8\xff\x01\x07")
    assert made.title == "known"


@pytest.mark.parametrize(
    "path",
    ["/ovasabi.content.v1.Contents/FlyContent", "/ovasabi.content.v9.Contents/GetContent", "/x/y", "/", "/a/b/c"],
)
async def test_an_unknown_service_or_method_is_unimplemented(wire: Wire, path: str) -> None:
    told = await wire.ask("GetContent", path=path, campaign="x", id="1")
    assert_refused(told, grpc.StatusCode.UNIMPLEMENTED, None, "no_route")
    assert path in told.text


async def test_a_message_that_is_too_large_is_refused_by_its_size(wire: Wire, campaign: str) -> None:
    told = await wire.ask(
        "CreateContent", campaign=campaign, content={"title": "x", "body": "y" * (MAX_BODY_BYTES + 99_999)}
    )
    assert_refused(told, grpc.StatusCode.RESOURCE_EXHAUSTED, None, "body_too_large")
    # What no message can be is not even read: gRPC refuses it by itself.
    told = await wire.ask("CreateContent", campaign=campaign, content={"title": "x", "body": "y" * 3 * MAX_BODY_BYTES})
    assert told.status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in told.text
    assert (await wire.ask("ListContents", campaign=campaign)).contents == []


@pytest.mark.parametrize("causation", ["x", "-1", "1.5", "", "9" * 17, "0x10"])
async def test_a_causation_id_that_is_no_number_is_refused_by_its_name(
    wire: Wire, campaign: str, causation: str
) -> None:
    told = await wire.ask("ListContents", campaign=campaign, metadata=[("x-causation-id", causation)])
    assert_refused(told, INVALID, "x-causation-id", "invalid_request")


@pytest.mark.parametrize("correlation", ["x", "has spaces in it", "y" * 101, "", "semi;colon;quoted"])
async def test_a_malformed_correlation_id_is_replaced(wire: Wire, campaign: str, correlation: str) -> None:
    call = wire.start("ListContents", campaign=campaign, metadata=[("x-correlation-id", correlation)])
    await call
    trailing = dict(await call.trailing_metadata())
    assert len(trailing["x-correlation-id"]) == 22


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic YTpi", "peer x.y.z", "bearer " + "k" * 2000])
async def test_an_odd_authorization_is_nobodys(wire: Wire, campaign: str, authorization: str) -> None:
    wire.authorization = authorization
    assert_refused(
        await wire.ask("ListContents", campaign=campaign), grpc.StatusCode.UNAUTHENTICATED, None, "unauthenticated"
    )


@pytest.mark.parametrize("name", ["authorization", "x-causation-id"])
async def test_metadata_that_must_be_one_is_refused_twice(wire: Wire, campaign: str, name: str) -> None:
    twice = [(name, "Bearer ovk_x"), (name, "Bearer ovk_y")]
    told = await wire.ask("ListContents", campaign=campaign, metadata=twice)
    assert_refused(told, INVALID, name, "invalid_request")


async def test_metadata_in_bytes_is_no_authorization(wire: Wire, campaign: str) -> None:
    given: Any = [("authorization-bin", wire.authorization.encode()), ("x-causation-id-bin", b"\xff\x00")]
    assert (await wire.ask("ListContents", campaign=campaign, metadata=given)).contents == []
    wire.authorization = ""
    assert_refused(
        await wire.ask("ListContents", campaign=campaign, metadata=given), grpc.StatusCode.UNAUTHENTICATED, None
    )


BAD: list[tuple[str, dict[str, Any], grpc.StatusCode, str | None]] = [
    ("ListContents", {"campaign": ""}, INVALID, "campaign"),
    ("ListContents", {"campaign": "no-such-one"}, NOT_FOUND, None),
    ("ListContents", {"campaign": "9" * 400}, NOT_FOUND, None),
    ("GetContent", {"id": ""}, INVALID, "id"),
    ("GetContent", {"id": "a\x00b"}, NOT_FOUND, None),
    ("GetContent", {"id": str(MOST)}, NOT_FOUND, None),
    ("GetContent", {"id": str(MOST + 1)}, NOT_FOUND, None),
    ("GetContent", {"id": "7" * 5000}, NOT_FOUND, None),
    ("GetContent", {"id": "1", "as_of": {"seconds": MOST}}, INVALID, "as_of"),
    ("GetContent", {"id": "1", "as_of": {"nanos": -1}}, INVALID, "as_of"),
    ("GetContent", {"id": "1", "as_of": {"seconds": -62_135_596_800}}, NOT_FOUND, None),
    ("CreateContent", {}, INVALID, "title"),
    ("CreateContent", {"content": {"title": "x", "kind": 99}}, INVALID, "kind"),
    ("CreateContent", {"content": {"title": "x", "kind": 0}}, INVALID, "kind"),
    ("CreateContent", {"content": {"title": "x", "kind": -(2**31)}}, INVALID, "kind"),
    ("CreateContent", {"content": {"title": "x\x00y"}}, INVALID, "title"),
    ("CreateContent", {"content": {"title": "x", "tags": ["\x00"]}}, INVALID, "tags[0]"),
    ("CreateContent", {"content": {"title": "x", "metadata": {"tags": ["\x00"]}}}, INVALID, "metadata.tags[0]"),
    ("CreateContent", {"content": {"title": "x", "metadata": {"\x00": 1}}}, INVALID, "metadata.\x00"),
    ("CreateContent", {"content": {"title": "x", "metadata": {"tags": [float("nan")]}}}, INVALID, "metadata"),
    ("CreateContent", {"content": {"title": "x", "author_id": MOST}}, INVALID, "author_id"),
    ("CreateContent", {"content": {"title": "x", "author_id": -MOST - 1}}, INVALID, "author_id"),
    ("CreateContent", {"content": {"title": "x"}, "idempotency_key": ""}, INVALID, "idempotency_key"),
    ("CreateContent", {"content": {"title": "x"}, "idempotency_key": "a b"}, INVALID, "idempotency_key"),
    ("CreateContent", {"content": {"title": "x"}, "idempotency_key": "\x00"}, INVALID, "idempotency_key"),
    ("UpdateContent", {"id": "1", "update_mask": {"paths": ["titel"]}}, INVALID, "titel"),
    ("UpdateContent", {"id": "1", "update_mask": {"paths": [""]}}, INVALID, None),
    ("UpdateContent", {"id": "1", "update_mask": {"paths": ["metadata.tags"]}}, INVALID, "metadata.tags"),
    ("UpdateContent", {"id": "1", "content": {"title": "x"}, "expected_version": -1}, INVALID, "expected_version"),
    ("UpdateContent", {"id": "1", "content": {"title": "x"}, "expected_version": MOST}, INVALID, "expected_version"),
    ("DeleteContent", {"id": "1", "expected_version": MOST}, INVALID, "expected_version"),
    ("PublishContent", {"id": "1", "expected_version": MOST}, INVALID, "expected_version"),
    ("ListContents", {"page_size": MOST}, INVALID, "page_size"),
    ("ListContents", {"page_token": "\x00"}, INVALID, "page_token"),
    ("ListContents", {"filter": "title = '\x00'"}, INVALID, "filter"),
    ("ListContents", {"filter": f"id = {MOST + 1}"}, INVALID, "filter"),
    ("ListContents", {"order_by": "\x00"}, INVALID, "order_by"),
    ("UpdateContent", {"id": "1", "expected_version": 2**31 - 1}, NOT_FOUND, None),
    ("SearchContents", {"q": "\x00"}, INVALID, "q"),
    ("WatchEvents", {"after": "\x00"}, INVALID, "after"),
    ("WatchEvents", {"entity_id": MOST}, INVALID, "entity_id"),
    ("WatchEvents", {"after": f"{MOST}-{MOST}9"}, INVALID, "after"),
    ("WatchEvents", {"heartbeat_seconds": float("nan")}, INVALID, "heartbeat_seconds"),
    ("WatchEvents", {"types": "\x00"}, INVALID, "type"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values", "status", "field"), BAD)
async def test_a_bad_value_is_refused_by_its_name(
    wire: Wire, campaign: str, name: str, values: dict[str, Any], status: grpc.StatusCode, field: str | None
) -> None:
    told = await wire.ask(name, **{"campaign": campaign, **values})
    assert_refused(told, status, field)
    assert (await wire.ask("ListContents", campaign=campaign)).contents == []


@pytest.mark.parametrize("name", ["UpdateContent", "DeleteContent", "PublishContent"])
async def test_another_version_than_is_expected_is_a_conflict_also_if_nothing_is_to_be_changed(
    wire: Wire, campaign: str, name: str
) -> None:
    made = await wire.ask("CreateContent", campaign=campaign, content={"title": "x"})
    for version in (2, 2**31 - 1):
        told = await wire.ask(name, campaign=campaign, id=str(made.id), expected_version=version)
        assert_refused(told, grpc.StatusCode.ABORTED, None, "version_conflict")


@pytest.mark.parametrize("campaign", ["\x00", "py\x00thon", "\uffff", "-1", "x" * 100_000])
async def test_a_campaign_that_cannot_be_is_not_found(wire: Wire, campaign: str) -> None:
    told = await wire.ask("ListContents", campaign=campaign)
    assert_refused(told, told.status, None)
    assert told.status in (INVALID, NOT_FOUND)


async def test_a_campaign_may_not_be_left_out_where_one_is_needed(wire: Wire) -> None:
    for name in ("ListContents", "CreateContent", "GetContent", "SearchContents", "Search"):
        assert_refused(await wire.ask(name), INVALID, "campaign")
