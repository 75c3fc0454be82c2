"""The ids that follow a call over gRPC: they come back with the answer, and are in the events."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.integration.gateway.grpc_fixtures import Refused, Wire


@pytest_asyncio.fixture
async def wire(addresses: tuple[str, str], operator: httpx.AsyncClient) -> AsyncIterator[Wire]:
    """Calls with an admin key of the platform."""
    async with Wire(addresses[1], operator.headers["authorization"]) as opened:
        yield opened


@pytest.fixture
def campaign(shop: str) -> str:
    """The slug of a new campaign."""
    return shop.rpartition("/")[2]


async def test_the_ids_of_a_call_come_back_and_are_in_its_events(wire: Wire, campaign: str) -> None:
    cause = (await wire.ask("CreateContent", campaign=campaign, content={"title": "cause"})).id
    given = [("x-correlation-id", "followed-by-this"), ("x-causation-id", str(cause))]
    call = wire.start("CreateContent", campaign=campaign, content={"title": "effect"}, metadata=given)
    made = await call
    assert dict(await call.trailing_metadata())["x-correlation-id"] == "followed-by-this"
    events = (await wire.ask("ListEvents", campaign=campaign)).events
    (effect,) = (event for event in events if event.master_id == made.id)
    assert (effect.correlation_id, effect.causation_id) == ("followed-by-this", cause)


async def test_a_call_without_ids_has_one_made_which_its_events_have_too(wire: Wire, campaign: str) -> None:
    call = wire.start("CreateContent", campaign=campaign, content={"title": "x"})
    made = await call
    correlation = dict(await call.trailing_metadata())["x-correlation-id"]
    (event,) = (e for e in (await wire.ask("ListEvents", campaign=campaign)).events if e.master_id == made.id)
    assert event.correlation_id == correlation
    assert not event.HasField("causation_id")


async def test_an_error_has_the_id_of_its_call_in_its_details_and_beside_them(wire: Wire, campaign: str) -> None:
    for name, values in (("GetContent", {"id": "1"}), ("WatchEvents", {"after": "nonsense"})):
        told = await wire.ask(name, campaign=campaign, metadata=[("x-correlation-id", "followed-by-this")], **values)
        assert isinstance(told, Refused)
        assert told.trailing["x-correlation-id"] == "followed-by-this"
        assert told.details["RequestInfo"].request_id == "followed-by-this"
