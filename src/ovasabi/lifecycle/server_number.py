"""The number of a database server in its ids, so that two servers never make the same: chosen before the first id."""

from ovasabi.database.roles import OWNER_ROLE
from ovasabi.database.session import open_session
from ovasabi.database.sql import load
from ovasabi.errors import StartError

_SQL = load(__file__)


async def settle(url: str, number: int, *, of_home: bool = True) -> None:
    """Gives a database that has not made an id yet its number; raises StartError if it has another one.

    Ids continue after the newest event, also in a copy of a database that lacks its sequences.
    """
    connection = await open_session(url)
    try:
        await connection.execute(f"SET ROLE {OWNER_ROLE}")
        await connection.execute(_SQL["choose"], number)
        await connection.execute(_SQL["catch_up"])
    finally:
        await connection.close()
    await check(url, number, of_home=of_home)


async def check(url: str, number: int, *, of_home: bool = True) -> None:
    """Raises StartError if a migrated database, home or another, has another number."""
    connection = await open_session(url)
    try:
        (state,) = await connection.fetch(_SQL["state"])
    finally:
        await connection.close()
    if state["number"] == number:
        return
    if not of_home:
        problem = f"OVASABI_SHARDS gives a server the number {number}, but its ids have the number {state['number']}."
        raise StartError(problem=problem, hint="Every server must keep its number. Check the URLs in OVASABI_SHARDS.")
    hint = (
        f"Set OVASABI_SERVER_NUMBER to {state['number']} if this is the right database, and not one of OVASABI_SHARDS."
    )
    raise StartError(
        problem=f"OVASABI_SERVER_NUMBER is {number}, but the ids of this database have the number {state['number']}.",
        hint=f"{hint} {_USED if state['used'] else _UNUSED}",
    )


_USED = "The number of a database with ids cannot be changed."
_UNUSED = "It has no ids yet: `ovasabi migrate` gives it the number of the setting."
