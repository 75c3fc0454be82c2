"""What a refused call was about is let go at once: nothing holds it in a circle until a full collection of garbage."""

import asyncio
import gc
import types
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import pytest
from google.protobuf.message import Message

from tests.integration.gateway.grpc_fixtures import Wire, rpcs

pytestmark = pytest.mark.inside
LARGE = "x" * 2_000_000


@contextmanager
def garbage() -> Iterator[list[object]]:
    """What becomes garbage in the block that only a full collection finds."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def large(found: list[object]) -> list[object]:
    """The objects that hold something large."""
    return [
        each
        for each in found
        for held in (*gc.get_referents(each), *(each.f_locals.values() if isinstance(each, types.FrameType) else ()))
        if (isinstance(held, str | bytes) and len(held) > 1_000_000) or isinstance(held, Message)
    ]


@asynccontextmanager
async def settled() -> AsyncIterator[None]:
    """Waits until the server has done what it does after its answer."""
    yield
    await asyncio.sleep(0.2)


@pytest.mark.parametrize("known", [True, False])
async def test_a_message_over_grpc_is_let_go(
    addresses: tuple[str, str], operator: httpx.AsyncClient, shop: str, known: bool
) -> None:
    async with Wire(addresses[1], operator.headers["authorization"] if known else "") as wire:
        message = rpcs()["CreateContent"].request_class(campaign=shop.rpartition("/")[2])
        message.content.title = LARGE
        await wire.ask("CreateContent", message)
        body = message.SerializeToString()
        del message
        with garbage() as found:
            async with settled():
                await wire.ask("CreateContent", body)
        del body
        assert large(found) == []


@pytest.mark.parametrize("body", [{"title": LARGE}, {"title": "x", LARGE: 1}, LARGE])
async def test_a_body_over_http_is_let_go(operator: httpx.AsyncClient, shop: str, body: object) -> None:
    with garbage() as found:
        async with settled():
            answer = await operator.post(f"{shop}/contents", json=body)
    assert answer.status_code == 400
    assert large(found) == []
