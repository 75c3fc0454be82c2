"""API keys: 256 random bits behind a prefix; the database keeps a digest, and each process a short memory of them."""

import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from datetime import UTC, datetime

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.sql import load
from ovasabi.errors import Kind, OvasabiError
from ovasabi.kernel.call.context import PLATFORM, Principal, Role
from ovasabi.kernel.call.errors import InvalidValue

_FORM = re.compile(r"ovk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_SQL = load(__file__)

REMEMBERED_SECONDS = 5.0
"""How long a process trusts what it knows of a key: so long may a revoked key still work in another process."""
_REMEMBERED = 10_000


class Unauthenticated(OvasabiError):
    """No valid key came with the call. It does not say which of the reasons it was."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"
    message = "The call needs a valid API key."
    hint = "Send `Authorization: Bearer ovk_…`; make a key with `ovasabi keys create`."


class ApiKey(msgspec.Struct, frozen=True):
    """A key as it is listed: never with its secret."""

    prefix: str
    name: str
    campaign_id: int
    role: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


async def create_key(
    database: Database, name: str, role: Role, *, campaign_id: int = PLATFORM, expires_at: datetime | None = None
) -> str:
    """Makes a key and answers it, the only time that it is seen. `campaign_id` 0 is the whole platform."""
    if not 1 <= len(name) <= 190 or not name.isprintable():
        raise InvalidValue(field="name", problem="A key's name has 1 to 190 printable characters.")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise InvalidValue(field="expires_at", problem="The key would have expired already.")
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    await database.write(_SQL["insert"], prefix, _digest(secret), name, campaign_id, role.value, expires_at)
    return f"ovk_{prefix}_{secret}"


async def list_keys(database: Database) -> list[ApiKey]:
    """All keys, the oldest first, also those that expired or were revoked."""
    return [ApiKey(**row) for row in await database.read(_SQL["list"])]


async def revoke_key(database: Database, prefix: str) -> None:
    """Revokes a key by its prefix (with or without ovk_); again does nothing."""
    bare = prefix.removeprefix("ovk_").split("_")[0]
    if not await database.write(_SQL["revoke"], bare):
        raise InvalidValue(
            field="prefix", problem=f"There is no key with the prefix {bare!r}.", hint="See `ovasabi keys list`."
        )


class Keyring:
    """Who a key belongs to; known keys cost no statement for a few seconds. Unknown ones are not remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, tuple[float, Row]] = OrderedDict()

    async def principal(self, key: str) -> Principal:
        """The principal of a key; `Unauthenticated` if it is malformed, unknown, wrong, expired or revoked."""
        match = _FORM.fullmatch(key)
        if match is None:
            raise Unauthenticated
        row = await self._row(match[1])
        if row is None or not hmac.compare_digest(row["digest"], _digest(match[2])):
            raise Unauthenticated
        if row["revoked_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= datetime.now(UTC)):
            raise Unauthenticated
        return Principal(name=f"key:{row['prefix']}", campaign_id=row["campaign_id"], role=Role(row["role"]))

    async def _row(self, prefix: str) -> Row | None:
        now = time.monotonic()
        known = self._known.get(prefix)
        if known is not None and known[0] > now:
            return known[1]
        rows = await self._database.read(_SQL["find"], prefix)
        self._known.pop(prefix, None)
        if not rows:
            return None
        self._known[prefix] = (now + REMEMBERED_SECONDS, rows[0])
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return rows[0]


def _digest(secret: str) -> bytes:
    # The secret is 256 random bits: a slow hash would protect it no better.
    return hashlib.sha256(secret.encode()).digest()
