"""`ovasabi up`: runs the embedded database, its migrations, a sample campaign, HTTP and gRPC with one command."""

import asyncio
import os
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import click

from ovasabi.cli.home import Home
from ovasabi.cli.listen import address_of, grpc_address_of, run_until_stopped, take_port
from ovasabi.cli.telling import announce, saying
from ovasabi.database import postmaster
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.settings import Settings, load_settings


@click.command()
@click.option("--host", help="The address to listen on; overrides OVASABI_HOST.")
@click.option("--port", type=int, help="The HTTP port; overrides OVASABI_PORT.")
def up(host: str | None, port: int | None) -> None:
    """Start everything, including an embedded PostgreSQL in OVASABI_HOME.

    If OVASABI_DATABASE_URL is set, that server is used instead. Ctrl-C stops everything; the data is kept.
    """
    settings = load_settings(host=host, port=port)
    home = Home(settings.home)
    home.hold()
    ready = asyncio.Event()
    try:
        with take_port(settings) as listener:
            run_until_stopped(_up(settings, home, listener, ready), settings, ready, partial(_stop_server, home))
        announce("stopped")
    finally:
        home.release()


async def _up(settings: Settings, home: Home, listener: socket.socket, ready: asyncio.Event) -> None:
    from ovasabi import runtime
    from ovasabi.cli.doors import serve
    from ovasabi.gateway.contract.checks import discovered

    discovered()
    say = saying(ready.is_set)
    async with _database(settings, home, say) as url:
        await runtime.until_available(url, settings.database_wait_seconds, say)
        prepared = await runtime.prepare(url, settings, progress=say)

        def listening() -> None:
            ready.set()
            home.note(address_of(settings), grpc_address_of(settings), url)
            banner = _banner(settings, home, prepared.sample_campaign, prepared.operator_key)
            announce(_listening(settings, prepared.operator_key and home.operator_key), banner)

        await serve(url, settings, listener, listening)


@asynccontextmanager
async def _database(settings: Settings, home: Home, say: Callable[[str], None]) -> AsyncIterator[str]:
    """Yields the URL of the configured server, or of the embedded one, which runs for the duration of the block."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    async with EmbeddedServer(home.data, options=settings.embedded_options, progress=say) as server:
        main = asyncio.current_task()
        assert main is not None  # this is a coroutine
        keeper = asyncio.create_task(server.keep_running())
        # It ends only if the server cannot be kept running: then there is nothing left to serve.
        keeper.add_done_callback(lambda _: main.cancel() if not keeper.cancelled() else None)
        try:
            yield server.url()
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper


def _stop_server(home: Home) -> None:
    """Tells the embedded server to stop, without waiting for it."""
    if (found := postmaster.running(home.data)) is not None:
        os.kill(found.pid, signal.SIGINT)


def _listening(settings: Settings, new_key: Path | str | None) -> str:
    """Returns in one sentence what the banner says at length."""
    grpc_address = grpc_address_of(settings)
    over_grpc = f", gRPC on {grpc_address}" if grpc_address is not None else ""
    key = f" The operator key is new, and stored in {new_key}." if new_key else ""
    return f"OVASABI is listening on {address_of(settings)}{over_grpc}.{key}"


def _banner(settings: Settings, home: Home, campaign: str, operator_key: str | None) -> str:
    address = address_of(settings)
    base = f"{address}/v1/campaigns/{campaign}"
    curl = f'curl -H "Authorization: Bearer $(cat {shlex.quote(str(home.operator_key))})"'
    lines = ["", f"OVASABI is listening on {address} (documentation: {address}/docs). Press Ctrl-C to stop."]
    if (grpc_address := grpc_address_of(settings)) is not None:
        lines.append(f"gRPC is listening on {grpc_address}, with reflection.")
    lines.append("")
    if operator_key is not None:
        # What a log collects must not admit its readers.
        key = [f"  {operator_key}"] if sys.stdout.isatty() else []
        lines += [f"The operator key is new, and stored in {home.operator_key}{':' if key else '.'}", *key, ""]
    lines += [
        "Try:",
        f"  {curl} '{base}/contents?page_size=3'",
        f"  {curl} '{base}:search?q=lambda'",
        f"  {curl} -H 'Content-Type: application/json' -d '{{\"title\": \"First light\"}}' '{base}/contents'",
        "",
    ]
    return "\n".join(lines)
