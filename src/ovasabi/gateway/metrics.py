"""Metrics in the text format of Prometheus: how calls ended, and what each server is busy with."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import asyncpg
import msgspec

from ovasabi.database.connection import Database
from ovasabi.database.deadlines import ending_at
from ovasabi.errors import OvasabiError
from ovasabi.gateway.admission import Forbidden
from ovasabi.kernel.batching.concurrency import ALL
from ovasabi.kernel.call.context import PLATFORM
from ovasabi.kernel.events.log_poll import end_of_log, lag_of
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.lifecycle.report import ids_ahead
from ovasabi.lifecycle.transaction_ages import ages_of
from ovasabi.runtime import Platform
from ovasabi.security.keys import Unauthenticated
from ovasabi.system.operation.service import Operations

MEDIA_TYPE = "text/plain; version=0.0.4"
SECONDS = 2.0
"""How long a server has to answer; what it does not tell is left out."""

HELP = {
    "ovasabi_calls_total": ("counter", "Calls of methods that have ended, by door, method, HTTP status and code."),
    "ovasabi_calls_under_way": ("gauge", "Admitted calls under way."),
    "ovasabi_server_up": ("gauge", "Whether a PostgreSQL server answers."),
    "ovasabi_pool_connections": ("gauge", "Connections of a pool to a server, by state."),
    "ovasabi_pool_size": ("gauge", "The most connections that a pool may have."),
    "ovasabi_watches": ("gauge", "Watches of the event log."),
    "ovasabi_operations_running": ("gauge", "Long-running operations that this process runs."),
    "ovasabi_feed_lag_seconds": ("gauge", "For how long at least events have been held back by an open transaction."),
    "ovasabi_oldest_transaction_seconds": ("gauge", "For how long at least the oldest transaction has been open."),
    "ovasabi_ids_ahead_seconds": ("gauge", "By how much ids are ahead of the clock."),
}


class Sample(msgspec.Struct, frozen=True):
    """A value of a metric."""

    name: str
    value: float
    labels: Mapping[str, Any] = {}


async def metrics(platform: Platform, authorization: str) -> str:
    """Returns the metrics of this process, to the holder of a key of the whole platform."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    principal = await platform.keyring.principal(credentials.strip())
    if principal.campaign_id != PLATFORM:
        raise Forbidden(reason="metrics are of the whole platform, but the key is limited to a campaign")
    platform.calls.enter(ALL, principal.name)
    try:
        servers = platform.shards.all.items()
        asked = await asyncio.gather(*(_asked(number, registry.database) for number, registry in servers))
    finally:
        platform.calls.leave(ALL, principal.name)
    own = [sample for number, registry in servers for sample in _own(number, registry)]
    return "".join(_lines([*_calls(platform), *own, *(sample for samples in asked for sample in samples)]))


def _calls(platform: Platform) -> Iterator[Sample]:
    for outcome, number in platform.outcomes.items():
        yield Sample("ovasabi_calls_total", number, msgspec.structs.asdict(outcome))
    yield Sample("ovasabi_calls_under_way", platform.calls.under_way)


def _own(number: int, registry: ServiceRegistry) -> Iterator[Sample]:
    """Yields what the process itself knows of its work on a server."""
    server = {"server": number}
    for pool, (size, idle, most) in registry.database.usage().items():
        yield Sample("ovasabi_pool_connections", size - idle, server | {"pool": pool, "state": "used"})
        yield Sample("ovasabi_pool_connections", idle, server | {"pool": pool, "state": "idle"})
        yield Sample("ovasabi_pool_size", most, server | {"pool": pool})
    yield Sample("ovasabi_watches", registry.subscriptions.watches, server)
    yield Sample("ovasabi_operations_running", registry.here(Operations).under_way(), server)


async def _asked(number: int, database: Database) -> list[Sample]:
    """Returns what a server tells, within a limited time."""
    server = {"server": number}
    try:
        lag, oldest, ahead = await ending_at(asyncio.get_running_loop().time() + SECONDS, _state(database))
    except (OvasabiError, asyncpg.PostgresError, OSError):
        return [Sample("ovasabi_server_up", 0, server)]
    told = {"feed_lag": lag, "oldest_transaction": oldest, "ids_ahead": ahead}
    values = [Sample(f"ovasabi_{name}_seconds", value, server) for name, value in told.items() if value is not None]
    return [Sample("ovasabi_server_up", 1, server), *values]


async def _state(database: Database) -> tuple[float | None, float, float]:
    await end_of_log(database)  # a look of its own at the horizon: without watchers nobody else takes one
    oldest = await ages_of(database).oldest(database.read)
    return lag_of(database).seconds, oldest, await ids_ahead(database.read)


def _escaped(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _lines(samples: Iterable[Sample]) -> Iterator[str]:
    by_name: dict[str, list[Sample]] = {name: [] for name in HELP}
    for sample in samples:
        by_name[sample.name].append(sample)
    for name, (kind, text) in HELP.items():
        yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
        for sample in by_name[name]:
            labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in sample.labels.items())
            yield f"{name}{{{labels}}} {sample.value}\n" if labels else f"{name} {sample.value}\n"
