"""The rows of unfinished work: the request, its progress and its output, each in the operation's own campaign."""

import asyncio
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
    """Unfinished work, as a process picks it up."""

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
        """Returns the context to work in: the principal that started the operation, a lease, and no deadline."""
        principal = Principal(self.actor, self.actor_campaign_id, self.actor_role)
        return Context(principal, campaign_id, None, self.correlation_id, self.causation_id, fence)


class Standing(msgspec.Struct, frozen=True):
    """Whether work is still wanted."""

    cancelled_by: str | None = None
    revoked: bool = False


def lease_name(id: int) -> str:
    """Returns the name of an operation's lease; the SQL function `due_operations` builds the same name."""
    return f"operation:{id}"


async def waiting(database: Database) -> int:
    """Returns the number of unfinished operations of the campaign."""
    campaign = current_campaign()
    return int((await read(database, _SQL["waiting"], scope_of(campaign), campaign))[0]["number"])


async def add(database: Database, id: int, service: str, target: str | None, request: str) -> None:
    """Stores the request, sealed, its service, and the context's principal as the actor."""
    context = current()
    actor = (context.principal.name, context.principal.campaign_id, context.principal.role.value)
    cause = (context.correlation_id, context.causation_id)
    if (keys := database.secret_keys) is not None:  # it may hold passwords
        request = await asyncio.to_thread(keys.seal, request)
    await write(database, _SQL["add"], *_row_key(id), service, target, request, *actor, *cause)


async def take(database: Database, id: int) -> Work | None:
    """Takes the work of an operation for another attempt; returns None if the operation has finished."""
    rows = await write(database, _SQL["take"], *_row_key(id))
    return msgspec.convert(dict(rows[0]), Work) if rows else None


async def request_of(database: Database, taken: Work) -> str:
    """Returns the request of work that was taken; raises SecretKeyUnknown if it was sealed under another key."""
    keys = database.secret_keys
    return taken.request if keys is None else await asyncio.to_thread(keys.opened, taken.request)


async def step(
    database: Database, id: int, done: int, total: int | None, marker: str, so_far: str, output: list[str]
) -> Standing | None:
    """Stores progress and output; returns whether the work is still wanted, or None if the operation has finished."""
    rows = await write(database, _SQL["step"], *_row_key(id), id_time(id), done, total, marker, so_far, output)
    return _standing(rows)


async def standing_of(database: Database, id: int) -> Standing | None:
    """Returns whether the work is still wanted, or None if the operation has finished."""
    return _standing(await read(database, _SQL["standing"], *_row_key(id)))


async def cancel(database: Database, id: int) -> Any:
    """Records that the work is no longer wanted, and by whom; returns what had been done so far."""
    rows = await write(database, _SQL["cancel"], *_row_key(id), current().principal.name)
    return rows[0]["so_far"] if rows else None


async def put_back(database: Database, id: int, seconds: float, *, counted: bool) -> None:
    """Puts the work back for another attempt after a pause; `counted` means that this one counts as an attempt."""
    await write(database, _SQL["put_back"], *_row_key(id), seconds, 0 if counted else 1)


async def remove(database: Database, id: int) -> None:
    """Deletes the work of a finished operation. Its lease remains, so that its token still fences off late holders."""
    await write(database, _SQL["remove"], *_row_key(id))


async def output(database: Database, id: int, after: int) -> tuple[str, int, int]:
    """Returns the piece of output after a number: its text, its number, and the number of the last piece.

    Without such a piece the text is empty and its number 0; without any output the last number is 0 too.
    """
    rows = await read(database, _SQL["output"], *_row_key(id), after)
    last = (await read(database, _SQL["last_output"], *_row_key(id)))[0]["number"] or 0
    return (rows[0]["data"], rows[0]["number"], last) if rows else ("", 0, last)


async def clear(database: Database, id: int) -> None:
    """Deletes the output of an operation."""
    await write(database, _SQL["clear"], *_row_key(id))


def _row_key(id: int) -> tuple[str, int, int]:
    campaign = current_campaign()
    return scope_of(campaign), campaign, id


def _standing(rows: list[Row]) -> Standing | None:
    return Standing(rows[0]["cancelled_by"], rows[0]["revoked"]) if rows else None
