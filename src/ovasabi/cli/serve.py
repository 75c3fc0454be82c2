"""`ovasabi serve`: serves HTTP and gRPC using an existing PostgreSQL whose schema has been migrated."""

import asyncio
import socket

import click

from ovasabi.cli.listen import address_of, grpc_address_of, run_until_stopped, take_port
from ovasabi.cli.telling import announce, saying
from ovasabi.errors import SettingsError
from ovasabi.settings import Settings, load_settings


@click.command()
@click.option("--host", help="The address to listen on; overrides OVASABI_HOST.")
@click.option("--port", type=int, help="The HTTP port; overrides OVASABI_PORT.")
@click.option("--grpc-port", type=int, help="The gRPC port, or 0 to disable gRPC; overrides OVASABI_GRPC_PORT.")
@click.option(
    "--services",
    help="Comma-separated services to run; overrides OVASABI_SERVICES. OVASABI_PEERS sets where the others run.",
)
def serve(host: str | None, port: int | None, grpc_port: int | None, services: str | None) -> None:
    """Serve HTTP and gRPC using the PostgreSQL at OVASABI_DATABASE_URL.

    Run `ovasabi migrate` on the database first.
    """
    settings = load_settings(host=host, port=port, grpc_port=grpc_port, services=services)
    if settings.database_url is None:
        raise SettingsError(
            problem="OVASABI_DATABASE_URL is not set; `ovasabi serve` requires an existing PostgreSQL.",
            field="OVASABI_DATABASE_URL",
            hint="Set it to postgresql://user:password@host:5432/database, or run: ovasabi up",
        )
    ready = asyncio.Event()
    with take_port(settings) as listener:
        work = _serve(settings, settings.database_url.get_secret_value(), listener, ready)
        run_until_stopped(work, settings, ready)
    announce("stopped")


async def _serve(settings: Settings, url: str, listener: socket.socket, ready: asyncio.Event) -> None:
    from ovasabi import runtime
    from ovasabi.cli.doors import serve as serve_doors
    from ovasabi.gateway.contract.checks import discovered

    discovered()
    await runtime.until_available(url, settings.database_wait_seconds, saying(ready.is_set))
    await runtime.check(url, settings)

    def listening() -> None:
        ready.set()
        grpc_address = grpc_address_of(settings)
        over_grpc = f", gRPC on {grpc_address}" if grpc_address is not None else ""
        announce(f"OVASABI is listening on {address_of(settings)}{over_grpc}.")

    await serve_doors(url, settings, listener, listening)
