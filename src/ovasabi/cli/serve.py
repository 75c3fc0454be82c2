"""`ovasabi serve`: HTTP on a PostgreSQL that somebody else runs and has migrated."""

import socket

import click

from ovasabi.cli.listen import address_of, run_until_stopped, serve_http, take_port
from ovasabi.errors import SettingsError
from ovasabi.settings import Settings, load_settings


@click.command()
@click.option("--host", help="Listen there instead of OVASABI_HOST.")
@click.option("--port", type=int, help="Listen there instead of OVASABI_PORT.")
def serve(host: str | None, port: int | None) -> None:
    """Serve HTTP on the PostgreSQL of OVASABI_DATABASE_URL, which `ovasabi migrate` has prepared."""
    settings = load_settings(host=host, port=port)
    if settings.database_url is None:
        raise SettingsError(
            problem="OVASABI_DATABASE_URL is not set, and serve uses a PostgreSQL that is already there.",
            field="OVASABI_DATABASE_URL",
            hint="Set it to postgresql://user:password@host:5432/database, or run: ovasabi up",
        )
    with take_port(settings) as listener:
        run_until_stopped(_serve(settings, settings.database_url.get_secret_value(), listener), settings)
    click.echo("stopped")


async def _serve(settings: Settings, url: str, listener: socket.socket) -> None:
    from ovasabi import runtime
    from ovasabi.gateway.app import create_app

    await runtime.check(url, settings)

    def ready() -> None:
        click.echo(f"OVASABI listens on {address_of(settings)}.")

    async with runtime.running(url, settings) as platform:
        await serve_http(create_app(platform), listener, ready, platform.registry.watching.close)
