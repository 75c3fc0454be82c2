"""A running platform behind its doors, HTTP and gRPC; the services that run elsewhere are reached over gRPC."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from ovasabi.cli.listen import grpc_port_of, serve_http
from ovasabi.runtime import Platform, running
from ovasabi.settings import Settings


async def serve(url: str, settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serves until cancelled; `ready` is called when both doors are open."""
    from ovasabi.gateway.http.app import create_app

    async with _opened(url, settings) as platform:
        await serve_http(create_app(platform), listener, ready, platform.registry.subscriptions.close)


@asynccontextmanager
async def _opened(url: str, settings: Settings) -> AsyncIterator[Platform]:
    port = grpc_port_of(settings)
    if port is None and not settings.services:
        async with running(url, settings) as platform:
            yield platform
        return
    # Loaded only where gRPC is spoken: it is a sixth of the process.
    from ovasabi.discovery import discover
    from ovasabi.gateway.contract.protobuf.contract import contract_of
    from ovasabi.gateway.grpc.remote import remotes
    from ovasabi.gateway.grpc.server import serving_grpc
    from ovasabi.kernel.service import declared_methods

    discover()
    contract = contract_of(declared_methods())
    async with running(url, settings, partial(remotes, contract, settings.request_timeout_seconds)) as platform:
        if port is None:
            yield platform
            return
        async with serving_grpc(platform, contract, settings.host, port):
            yield platform
