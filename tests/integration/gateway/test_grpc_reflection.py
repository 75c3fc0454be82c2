"""A client that knows nothing beforehand: what there is, and how it is called, from reflection alone; and health."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import httpx
import pytest
import pytest_asyncio
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from ovasabi.gateway.grpc import health as rpc_health
from ovasabi.lifecycle import migrations
from tests.conftest import eventually
from tests.integration.gateway.grpc_fixtures import contract, on_grpc, within

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@pytest_asyncio.fixture
async def channel(addresses: tuple[str, str]) -> AsyncIterator[grpc.aio.Channel]:
    """A way to the server, and nothing else."""
    async with grpc.aio.insecure_channel(addresses[1]) as opened:
        yield opened


async def reflected(channel: grpc.aio.Channel, **asked: str) -> Any:
    """What reflection answers."""
    stub: Any = ServerReflectionStub(channel)
    async for answer in stub.ServerReflectionInfo(iter([ServerReflectionRequest(**asked)])):
        return answer


async def pool_of(channel: grpc.aio.Channel, symbol: str) -> DescriptorPool:
    """The files of a symbol and all that they import, as reflection gives them."""
    pool, files = DescriptorPool(), {}
    answer = await reflected(channel, file_containing_symbol=symbol)
    waiting = [FileDescriptorProto.FromString(one) for one in answer.file_descriptor_response.file_descriptor_proto]
    while waiting:
        file = waiting.pop()
        files[file.name] = file
        for name in set(file.dependency) - set(files):
            answer = await reflected(channel, file_by_filename=name)
            found = answer.file_descriptor_response.file_descriptor_proto
            waiting += [FileDescriptorProto.FromString(one) for one in found]

    def add(name: str) -> None:
        file = files.pop(name, None)
        for needed in [] if file is None else file.dependency:
            add(needed)
        if file is not None:
            pool.Add(file)

    for name in list(files):
        add(name)
    return pool


async def test_reflection_lists_every_service(channel: grpc.aio.Channel) -> None:
    answer = await reflected(channel, list_services="*")
    names = {service.name for service in answer.list_services_response.service}
    assert names == {*contract().services, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


async def test_a_client_made_of_reflection_alone_calls_a_method(
    channel: grpc.aio.Channel, operator: httpx.AsyncClient, shop: str
) -> None:
    made = (await operator.post(f"{shop}/contents", json={"title": "Found", "tags": ["a"], "kind": "micro"})).json()
    pool = await pool_of(channel, "ovasabi.content.v1.Contents")
    method = pool.FindServiceByName("ovasabi.content.v1.Contents").methods_by_name["GetContent"]
    request = message_factory.GetMessageClass(method.input_type)
    answer = message_factory.GetMessageClass(method.output_type)
    ask: Any = channel.unary_unary(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=answer.FromString,
    )
    metadata = [("authorization", operator.headers["authorization"])]
    got = await ask(request(campaign=shop.rpartition("/")[2], id=str(made["id"])), metadata=metadata)
    assert (got.title, list(got.tags), got.id) == ("Found", ["a"], made["id"])
    kind = method.output_type.fields_by_name["kind"].enum_type.values_by_number[got.kind].name
    assert kind == "CONTENT_KIND_MICRO"


async def test_every_method_can_be_found_by_reflection(channel: grpc.aio.Channel) -> None:
    for service in contract().services:
        pool = await pool_of(channel, service)
        names = {method.name for method in pool.FindServiceByName(service).methods}
        assert names == {rpc.name for rpc in contract().rpcs if rpc.service == service}


async def test_reflection_says_what_there_is_not(channel: grpc.aio.Channel) -> None:
    for asked in ({"file_containing_symbol": "ovasabi.v1.Nothing"}, {"file_by_filename": "nothing.proto"}):
        answer = await reflected(channel, **asked)
        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_health_is_told_of_the_platform_and_of_each_service(channel: grpc.aio.Channel) -> None:
    health = HealthStub(channel)
    for name in ("", *contract().services):
        assert (await health.Check(HealthCheckRequest(service=name))).status is SERVING
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await health.Check(HealthCheckRequest(service="nothing"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_follows_the_database_and_says_at_shutdown_that_nothing_is_served(
    empty_url: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_health, "SECONDS", 0.1)
    await migrations.upgrade(empty_url)
    name, seen = empty_url.partition("?")[0].rpartition("/")[2], asyncio.Queue[Any]()

    async def watch(health: HealthStub) -> None:
        async for answer in health.Watch(HealthCheckRequest(service="ovasabi.content.v1.Contents")):
            seen.put_nowait(answer.status)

    async def told(status: Any) -> None:
        while await within(20, seen.get()) is not status:
            pass

    admin = await asyncpg.connect(database_url)
    async with on_grpc(empty_url, tmp_path) as (_, address):
        channel = grpc.aio.insecure_channel(address)
        health = HealthStub(channel)
        subscriptions = asyncio.create_task(watch(health))
        await told(SERVING)
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await told(NOT_SERVING)
        assert (await health.Check(HealthCheckRequest())).status is NOT_SERVING
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await told(SERVING)

        async def serving() -> bool:
            return (await health.Check(HealthCheckRequest())).status is SERVING

        await eventually(serving)
    await admin.close()
    await told(NOT_SERVING)
    (ended,) = await within(5, asyncio.gather(subscriptions, return_exceptions=True))
    # It is let go, and not cut off when the time that calls have is over.
    assert (ended.code(), ended.details()) == (grpc.StatusCode.UNAVAILABLE, "The platform is shutting down.")
    await channel.close()
