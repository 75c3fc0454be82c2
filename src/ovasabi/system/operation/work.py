"""The rows of unfinished work: what was asked, how far it is, what it puts out; each written in its own campaign."""

from typing import Any

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.kernel.call.context import Context, Fence, Principal, Role, current, current_campaign
from ovasabi.kernel.call.scope import SCOPE, SCOPE_FIRST, SCOPED, SEEN, scope_of
from ovasabi.kernel.call.transaction import read, write
from ovasabi.kernel.declare.ids import id_time

_OURS = f"{SCOPE_FIRST} AND w.campaign_id = $2 AND w.operation_id = $3"
# A principal of a key is named after it, and a key that expired may let its work end, but not one that was revoked.
_REVOKED = """EXISTS (SELECT 1 FROM api_key AS k WHERE w.actor LIKE 'key:%' AND k.prefix = substr(w.actor, 5)
               AND k.revoked_at IS NOT NULL) AS revoked"""
_WAITING = "SELECT x.*\n" + SCOPED.format(
    body=f"""
  SELECT count(*) AS number FROM operation_work AS w WHERE w.campaign_id = $2 AND {SEEN}"""
)
_ADD = f"""
{SCOPE}
INSERT INTO operation_work (campaign_id, operation_id, service, target, request, actor, actor_campaign_id,
                            actor_role, correlation_id, causation_id)
SELECT $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM scope WHERE scope.s IS NOT NULL"""
_TAKE = f"""
{SCOPE}
UPDATE operation_work AS w SET attempts = w.attempts + 1 WHERE {_OURS} RETURNING w.*, {_REVOKED}"""
_STEP = f"""
{SCOPE},
told AS (
  UPDATE operation_work AS w SET marker = $7, so_far = $8, attempts = 0, outputs = w.outputs + cardinality($9::text[])
  WHERE {_OURS} RETURNING w.*),
shown AS (
  UPDATE service_operation_main AS s SET done = $5, total = $6
  WHERE {SCOPE_FIRST} AND s.campaign_id = $2 AND s.created_at = $4 AND s.master_id = $3),
put_out AS (
  INSERT INTO operation_output (campaign_id, operation_id, number, data)
  SELECT $2, $3, told.outputs - cardinality($9::text[]) + u.place, u.data
  FROM told, unnest($9::text[]) WITH ORDINALITY AS u (data, place))
SELECT w.cancelled_by, {_REVOKED} FROM told AS w"""
_LOOK = "SELECT x.*\n" + SCOPED.format(
    body=f"""
  SELECT w.cancelled_by, {_REVOKED} FROM operation_work AS w
  WHERE w.campaign_id = $2 AND w.operation_id = $3 AND {SEEN}"""
)
_CANCEL = f"""
{SCOPE}
UPDATE operation_work AS w SET cancelled_by = coalesce(w.cancelled_by, $4) WHERE {_OURS} RETURNING w.so_far"""
_PUT_BACK = f"""
{SCOPE}
UPDATE operation_work AS w
SET not_before = clock_timestamp() + $4::float8 * interval '1 second', attempts = w.attempts - $5 WHERE {_OURS}"""
_REMOVE = f"""
{SCOPE}
DELETE FROM operation_work AS w WHERE {_OURS}"""
_OUTPUT = "SELECT x.*\n" + SCOPED.format(
    body=f"""
  SELECT o.number, o.data FROM operation_output AS o
  WHERE o.campaign_id = $2 AND o.operation_id = $3 AND o.number > $4 AND {SEEN} ORDER BY o.number LIMIT 1"""
)
_LAST = "SELECT x.*\n" + SCOPED.format(
    body=f"""
  SELECT max(o.number) AS number FROM operation_output AS o
  WHERE o.campaign_id = $2 AND o.operation_id = $3 AND {SEEN}"""
)
_CLEAR = f"""
{SCOPE}
DELETE FROM operation_output AS w WHERE {_OURS}"""


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
    return int((await read(database, _WAITING, scope_of(campaign), campaign))[0]["number"])


async def add(database: Database, id: int, service: str, target: str | None, request: str) -> None:
    """Notes what was asked, of which service, and by whom: the context's principal."""
    who = current()
    asked = (service, target, request, who.principal.name, who.principal.campaign_id, who.principal.role.value)
    await write(database, _ADD, *_place(id), *asked, who.correlation_id, who.causation_id)


async def take(database: Database, id: int) -> Work | None:
    """The work of an operation, for one more attempt; none if it is finished."""
    rows = await write(database, _TAKE, *_place(id))
    return msgspec.convert(dict(rows[0]), Work) if rows else None


async def step(
    database: Database, id: int, done: int, total: int | None, marker: str, so_far: str, output: list[str]
) -> Standing | None:
    """Notes how far it is, with what it puts out; answers whether it is still wanted, none if it is finished."""
    rows = await write(database, _STEP, *_place(id), id_time(id), done, total, marker, so_far, output)
    return _standing(rows)


async def look(database: Database, id: int) -> Standing | None:
    """Whether it is still wanted; none if it is finished."""
    return _standing(await read(database, _LOOK, *_place(id)))


async def cancel(database: Database, id: int) -> Any:
    """Notes that it is no longer wanted, and by whom; answers what had been done so far."""
    rows = await write(database, _CANCEL, *_place(id), current().principal.name)
    return rows[0]["so_far"] if rows else None


async def put_back(database: Database, id: int, seconds: float, *, counted: bool) -> None:
    """Lets it wait for another attempt; `counted` says that this one was an attempt."""
    await write(database, _PUT_BACK, *_place(id), seconds, 0 if counted else 1)


async def remove(database: Database, id: int) -> None:
    """Forgets the work of a finished operation. Its lease stays: tokens go on rising, so no late holder is let in."""
    await write(database, _REMOVE, *_place(id))


async def output(database: Database, id: int, after: int) -> tuple[str, int, int]:
    """The piece of output after a number: its text, its number and that of the last one; zeros if there is none."""
    rows = await read(database, _OUTPUT, *_place(id), after)
    last = (await read(database, _LAST, *_place(id)))[0]["number"] or 0
    return (rows[0]["data"], rows[0]["number"], last) if rows else ("", 0, last)


async def clear(database: Database, id: int) -> None:
    """Removes the output of an operation."""
    await write(database, _CLEAR, *_place(id))


def _place(id: int) -> tuple[str, int, int]:
    campaign = current_campaign()
    return scope_of(campaign), campaign, id


def _standing(rows: list[Row]) -> Standing | None:
    return Standing(rows[0]["cancelled_by"], rows[0]["revoked"]) if rows else None
