"""`ovasabi status`: shows whether OVASABI is running, and the state of its database, for people and for programs."""

import asyncio
import json
import platform
from typing import Any

import click

from ovasabi import __version__
from ovasabi.cli.home import Home
from ovasabi.database.embedded import running_url
from ovasabi.errors import OvasabiError
from ovasabi.settings import Settings, load_settings, redact

NOT_RUNNING = 3
NOT_READY = 4
TIMEOUT_SECONDS = 10
DATABASE_FIELDS = (
    "migration_head",
    "migration_current",
    "migrations_pending",
    "objects_outdated",
    "objects_changed",
    "tables_missing",
    "partitions_missing",
    "writable",
    "ready",
    "next_step",
    "campaigns",
    "servers",
    "other_servers",
    "campaigns_lost",
    "leaves",
    "log_epoch",
    "log_moved",
    "feed_lag_seconds",
    "feed_held_by",
    "oldest_transaction",
    "server_number",
    "ids_ahead_seconds",
    "serving_login",
    "background",
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Show whether OVASABI is running, and the state of its database.

    The exit code is 4 if the database needs attention, otherwise 0 if OVASABI is running, and 3 if it is not.
    """
    _check_declarations()
    report = asyncio.run(_report(load_settings()))
    click.echo(json.dumps(report, indent=2, default=str) if as_json else _aligned(report))
    context.exit(NOT_READY if report["ready"] is False else 0 if report["running"] else NOT_RUNNING)


def _check_declarations() -> None:
    """Raises `DeclarationError` if the services could not be served."""
    from ovasabi.gateway.contract.checks import check_contracts, discovered

    discovered()
    check_contracts()


async def _report(settings: Settings) -> dict[str, Any]:
    home = Home(settings.home)
    run = home.running()
    url = settings.database_url.get_secret_value() if settings.database_url else running_url(home.data)
    shown = redact(url) if url is not None else run["database_url"] if run is not None else None
    report: dict[str, Any] = {
        "running": run is not None,
        "address": run["address"] if run is not None else None,
        "grpc_address": run.get("grpc_address") if run is not None else None,
        "pid": run["pid"] if run is not None else None,
        "home": str(settings.home),
        "database_url": shown,
        "versions": {"ovasabi": __version__, "python": platform.python_version(), "postgresql": None},
    }
    report |= dict.fromkeys(DATABASE_FIELDS)
    if url is not None:
        database = await _database_report(url, settings)
        _merge(report, database | {"ready": database.get("problem") is None and database.get("next_step") is None})
    elif run is not None:
        report["problem"] = "The address of the database is not known here; set OVASABI_DATABASE_URL."
    return report


async def _database_report(url: str, settings: Settings) -> dict[str, Any]:
    """Returns the database's part of the report, or a sentence that says why it is missing."""
    from ovasabi import runtime

    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await runtime.status(url, settings)
    except OvasabiError as error:
        return {"problem": str(error)}
    except TimeoutError:
        return {"problem": f"The database did not respond within {TIMEOUT_SECONDS} seconds."}
    except Exception as error:  # whatever is wrong with the database, the rest of the report is still useful
        from ovasabi.cli.database_errors import explained

        known = explained(error)
        reason = f"{type(error).__name__}: {error}" if known is None else f"{known} {known.hint or ''}".strip()
        return {"problem": f"The database cannot be queried. {reason}"}


def _merge(report: dict[str, Any], database: dict[str, Any]) -> None:
    report["versions"] |= database.get("versions", {})
    report |= {name: value for name, value in database.items() if name not in ("versions", "database_url")}


def _aligned(report: dict[str, Any]) -> str:
    others = report["other_servers"] or {}
    rows = {name.replace("_", " "): value for name, value in report.items() if name != "other_servers"}
    rows |= {
        f"server {number}": {name.replace("_", " "): value for name, value in of.items()}
        for number, of in others.items()
    }
    lines = {name: _shown(value) for name, value in rows.items()}
    width = max(map(len, lines))
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines.items())


def _shown(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name} {_shown(part)}" for name, part in value.items()) or "none"
        case list():
            return ", ".join(map(_shown, value)) or "none"
        case _:
            return str(value)
