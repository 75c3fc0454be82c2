"""A session that is not in the application's role is refused: a pooler may have ignored what it was to be."""

import asyncpg
import pytest

from ovasabi.database.connection import Database
from ovasabi.database.roles import APP_ROLE, check_session
from ovasabi.database.session import SETTINGS
from ovasabi.errors import StartError


@pytest.mark.parametrize(
    "settings", [{}, SETTINGS, {"role": APP_ROLE}, SETTINGS | {"role": APP_ROLE, "row_security": "off"}]
)
async def test_a_session_in_another_role_or_without_the_settings_is_refused(
    database_url: str, settings: dict[str, str]
) -> None:
    connection = await asyncpg.connect(database_url, server_settings=settings)
    try:
        with pytest.raises(StartError, match="not ovasabi_app, or its settings were ignored"):
            await check_session(connection)
    finally:
        await connection.close()


async def test_the_sessions_of_the_pools_are_checked_when_they_are_made(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "row_security", "off")  # what a session is to be, and is not
    monkeypatch.setattr("ovasabi.database.pools.SETTINGS", SETTINGS | {"row_security": "on"})
    with pytest.raises(StartError):
        await Database(database_url, readers=1, writers=1).open()
