"""The gRPC server: every method, with reflection and health, on a port of its own."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha.reflection import SERVICE_NAME as REFLECTION
from grpc_reflection.v1alpha.reflection import enable_server_reflection

from ovasabi.errors import StartError
from ovasabi.gateway.contract.protobuf.contract import Contract, Rpc
from ovasabi.gateway.grpc.health import Health
from ovasabi.gateway.grpc.responses import MAX_MESSAGE_BYTES, answering, streaming, unknown
from ovasabi.runtime import Platform

GRACE_SECONDS = 10.0
KEEPALIVE_MS = 5_000
"""How soon a peer may ask again whether this process is alive, and how long it waits for the answer."""
_OPTIONS = [
    # Slightly oversized messages are refused with a detailed error; larger ones are not even read.
    ("grpc.max_receive_message_length", 2 * MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),
    # A second server on the same port is an error, rather than sharing the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS),
    # A stranger who connects and says nothing; and one who says nothing more. A client connects again by itself.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.max_concurrent_streams", 1000),
    ("grpc.max_metadata_size", 32 * 1024),
]


@asynccontextmanager
async def serving_grpc(platform: Platform, contract: Contract, host: str, port: int) -> AsyncIterator[int]:
    """Serves for the duration of the block; yields the port, which for 0 is a free one."""
    most = ("grpc.max_allowed_incoming_connections", platform.settings.max_connections)
    server = grpc.aio.server(options=[*_OPTIONS, most])
    names = _add_methods(server, platform, contract)
    health = Health(names)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    enable_server_reflection([*names, HEALTH, REFLECTION], server, pool=contract.pool)
    server.add_generic_rpc_handlers((_Unknown(),))  # the last one: it handles everything else
    try:
        bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError as error:
        raise StartError(
            problem=f"OVASABI cannot listen for gRPC on {host}:{port}.",
            hint="Choose another OVASABI_GRPC_PORT (0 disables gRPC), or stop the process that is listening there.",
        ) from error
    await health.probe(platform)
    await server.start()
    probing = asyncio.create_task(health.follow(platform))
    try:
        yield bound
    finally:
        probing.cancel()
        with suppress(asyncio.CancelledError):
            await probing
        health.end()
        platform.stop.begin()
        await server.stop(platform.stop.left_of(GRACE_SECONDS))


def _add_methods(server: Any, platform: Platform, contract: Contract) -> list[str]:
    handlers: dict[str, dict[str, Any]] = defaultdict(dict)
    for rpc in contract.rpcs:
        handlers[rpc.service][rpc.name] = _handler(rpc, platform)
    for service, methods in handlers.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    return list(handlers)


def _handler(rpc: Rpc, platform: Platform) -> Any:
    # Messages are parsed and serialized by the handlers, so that a malformed one gets an error like any other.
    if rpc.streams:
        return grpc.unary_stream_rpc_method_handler(streaming(rpc, platform))
    return grpc.unary_unary_rpc_method_handler(answering(rpc, platform))


class _Unknown(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # it takes none at run time
    """Handles the calls of unknown paths."""

    def service(self, handler_call_details: Any) -> Any:
        """Returns the handler of a call."""
        return grpc.stream_stream_rpc_method_handler(unknown(handler_call_details.method))
