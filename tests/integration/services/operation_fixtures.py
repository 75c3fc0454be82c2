"""What the tests of operations share: a database of their own, since a server that runs would take their work."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ovasabi.kernel.call.context import Context, Principal, Role, acting, system_context
from ovasabi.kernel.declare.methods import Call
from ovasabi.kernel.events.log import read_events
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.transfer.import_export import ExportRequest, ImportRequest
from ovasabi.system.operation.entity import Operation
from ovasabi.system.operation.running import Runner
from ovasabi.system.operation.service import DownloadQuery, Operations


def within(campaign: int) -> AbstractContextManager[Context]:
    """Runs a block as the system in a campaign."""
    return acting(system_context("test", campaign))


def as_somebody(campaign: int, name: str, role: Role = Role.WRITER) -> AbstractContextManager[Context]:
    """Runs a block as somebody of a campaign."""
    return acting(Context(Principal(name, campaign, role), campaign, correlation_id=f"asked-by-{name}"))


def lines(count: int, **more: Any) -> str:
    """Contents to import."""
    return "".join(json.dumps({"title": f"Title {n}", **more}) + "\n" for n in range(count))


async def start(
    registry: ServiceRegistry, method: str, request: Any, *, type: str = "content", key: str | None = None
) -> Any:
    """Starts a long method of a service, as every door does."""
    service = registry.named(type)
    (found,) = [found for found in service.methods() if found.name == method]
    return await service.run(Call(found, request=request, key=key))


async def start_import(registry: ServiceRegistry, data: str, **more: Any) -> Operation:
    """Starts an import of contents."""
    return await start(registry, "import", ImportRequest(data), **more)


async def start_export(
    registry: ServiceRegistry, type: str = "content", key: str | None = None, **more: Any
) -> Operation:
    """Starts an export."""
    return await start(registry, "export", ExportRequest(**more), type=type, key=key)


async def finished(registry: ServiceRegistry, id: int, seconds: float = 30) -> Operation:
    """An operation, when it is finished."""
    return await reached(registry, id, lambda operation: operation.finished_at is not None, seconds)


async def reached(
    registry: ServiceRegistry, id: int, wanted: Callable[[Operation], bool], seconds: float = 30
) -> Operation:
    """An operation, when it is as wanted."""
    for _ in range(int(seconds / 0.02)):
        operation = await registry.service(Operations).get(id)
        if wanted(operation):
            return operation
        await asyncio.sleep(0.02)
    raise AssertionError(f"it did not come so far: {operation}")


async def downloaded(registry: ServiceRegistry, operation: Operation) -> list[str]:
    """The pieces of an operation's output."""
    pieces: list[str] = []
    after: int | None = 0
    while after is not None:
        piece = await registry.service(Operations).download(operation, DownloadQuery(after))
        pieces.append(piece.data)
        after = piece.next
    return pieces


async def count(registry: ServiceRegistry, type: str = "content") -> int:
    """How many there are."""
    total = (await registry.named(type).list(ListRequest(page_size=1, include_total=True))).total_size
    assert total is not None
    return total


class Crash:
    """A runner that can be made to vanish: from then on nothing of it reaches the database, not even a good-bye."""

    def __init__(self, registry: ServiceRegistry, lease_seconds: float) -> None:
        self.runner = Runner(registry, lease_seconds=lease_seconds)
        self._looking = asyncio.create_task(self.runner.run())

    async def vanish(self, monkeypatch: Any) -> None:
        """Ends it as `kill -9` does."""

        async def nothing(*_: Any, **__: Any) -> None:
            return None

        with monkeypatch.context() as patched:
            patched.setattr("ovasabi.system.operation.running.release", nothing)
            patched.setattr("ovasabi.system.operation.work.put_back", nothing)
            self._looking.cancel()
            await self.runner.stop()


async def events_of(registry: ServiceRegistry, id: int) -> list[Any]:
    """The events of an operation, when all are to be seen."""
    version = (await registry.service(Operations).get(id)).version
    for _ in range(500):
        events = await read_events(registry.database, entity_id=id)
        if events and events[-1].version == version:
            return events
        await asyncio.sleep(0.02)
    raise AssertionError("the events do not come")


async def until(condition: Any, seconds: float = 15) -> None:
    """Waits until something is so."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true in time")
