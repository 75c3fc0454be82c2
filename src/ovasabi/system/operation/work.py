"""The rows of unfinished work: what was asked, how far it is, what it puts out; each written in its own campaign."""

from typing import Any

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import Context, Fence, Principal, Role, current, current_campaign
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read, write
from ovasabi.kernel.declare.ids import id_time

_SQL = load(__file__)


class Work(msgspec.Struct, frozen=True):
    """Unfinished work, as a process takes it on."""

    target: str | None
    request: str
    actor: str
    actor_campaign_id: int
    actor_role: Role
    correlation_id: str | None
    causation_id: int | None
    attempts: int
    marker: Any
    so_far: Any
    cancelled_by: str | None
    revoked: bool

    def context(self, campaign_id: int, fence: Fence) -> Context:
        """The context of the work: of who asked for it, under a lease, without a deadline."""
        principal = Principal(self.actor, self.actor_campaign_id, self.actor_role)
        return Context(principal, campaign_id, None, self.correlation_id, self.causation_id, fence)


class Standing(msgspec.Struct, frozen=True):
    """Whether work is still wanted."""

    cancelled_by: str | None = None
    revoked: bool = False


def lease_name(id: int) -> str:
    """The lease under which an operation is worked on; `due_operations` knows it too."""
    return f"operation:{id}"


async def waiting(database: Database) -> int:
    """How many operations of the campaign are not finished."""
    campaign = current_campaign()
    return int((await read(database, _SQL["waiting"], scope_of(campaign), campaign))[0]["number"])


async def add(database: Database, id: int, service: str, target: str | None, request: str) -> None:
    """Notes what was asked, of which service, and by whom: the context's principal."""
    who = current()
    asked = (service, target, request, who.principal.name, who.principal.campaign_id, who.principal.role.value)
    await write(database, _SQL["add"], *_place(id), *asked, who.correlation_id, who.causation_id)


async def take(database: Database, id: int) -> Work | None:
    """The work of an operation, for one more attempt; none if it is finished."""
    rows = await write(database, _SQL["take"], *_place(id))
    return msgspec.convert(dict(rows[0]), Work) if rows else None


async def step(
    database: Database, id: int, done: int, total: int | None, marker: str, so_far: str, output: list[str]
) -> Standing | None:
    """Notes how far it is, with what it puts out; answers whether it is still wanted, none if it is finished."""
    rows = await write(database, _SQL["step"], *_place(id), id_time(id), done, total, marker, so_far, output)
    return _standing(rows)


async def look(database: Database, id: int) -> Standing | None:
    """Whether it is still wanted; none if it is finished."""
    return _standing(await read(database, _SQL["look"], *_place(id)))


async def cancel(database: Database, id: int) -> Any:
    """Notes that it is no longer wanted, and by whom; answers what had been done so far."""
    rows = await write(database, _SQL["cancel"], *_place(id), current().principal.name)
    return rows[0]["so_far"] if rows else None


async def put_back(database: Database, id: int, seconds: float, *, counted: bool) -> None:
    """Lets it wait for another attempt; `counted` says that this one was an attempt."""
    await write(database, _SQL["put_back"], *_place(id), seconds, 0 if counted else 1)


async def remove(database: Database, id: int) -> None:
    """Forgets the work of a finished operation. Its lease stays: tokens go on rising, so no late holder is let in."""
    await write(database, _SQL["remove"], *_place(id))


async def output(database: Database, id: int, after: int) -> tuple[str, int, int]:
    """The piece of output after a number: its text, its number and that of the last one; zeros if there is none."""
    rows = await read(database, _SQL["output"], *_place(id), after)
    last = (await read(database, _SQL["last_output"], *_place(id)))[0]["number"] or 0
    return (rows[0]["data"], rows[0]["number"], last) if rows else ("", 0, last)


async def clear(database: Database, id: int) -> None:
    """Removes the output of an operation."""
    await write(database, _SQL["clear"], *_place(id))


def _place(id: int) -> tuple[str, int, int]:
    campaign = current_campaign()
    return scope_of(campaign), campaign, id


def _standing(rows: list[Row]) -> Standing | None:
    return Standing(rows[0]["cancelled_by"], rows[0]["revoked"]) if rows else None
