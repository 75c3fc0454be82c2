"""Serves a running platform over HTTP and gRPC; services that run in other processes are reached over gRPC."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from ovasabi.cli.listen import connections_of, grpc_port_of, serve_http
from ovasabi.runtime import Platform, running
from ovasabi.settings import Settings


async def serve(url: str, settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serves until cancelled; calls `ready` once both HTTP and gRPC are listening."""
    from ovasabi.gateway.http.app import create_app
    from ovasabi.gateway.http.connection import Bounds

    async with _opened(url, settings) as platform:

        async def closing() -> None:
            platform.stop.begin()
            await platform.shards.each(lambda registry: registry.subscriptions.close())

        bounds = Bounds(connections=connections_of(settings))
        await serve_http(create_app(platform), listener, ready, closing, bounds)


@asynccontextmanager
async def _opened(url: str, settings: Settings) -> AsyncIterator[Platform]:
    port = grpc_port_of(settings)
    if port is None and not settings.services:
        async with running(url, settings) as platform:
            yield platform
        return
    # Loaded only if gRPC is used: it takes a sixth of the process's memory.
    from ovasabi.gateway.contract.protobuf.contract import contract_of
    from ovasabi.gateway.grpc.remote import remotes
    from ovasabi.gateway.grpc.server import serving_grpc
    from ovasabi.kernel.service import declared_methods

    contract = contract_of(declared_methods())
    async with running(url, settings, partial(remotes, contract, settings.request_timeout_seconds)) as platform:
        if port is None:
            yield platform
            return
        async with serving_grpc(platform, contract, settings.host, port):
            yield platform
