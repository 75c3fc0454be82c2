"""API keys: 256 random bits after a prefix; the database stores a digest, and each process caches keys briefly."""

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.pools import Pool
from ovasabi.database.roles import as_owner
from ovasabi.database.sql import load
from ovasabi.errors import Kind, OvasabiError
from ovasabi.kernel.batching.concurrency import ALL, Concurrency
from ovasabi.kernel.call.context import PLATFORM, Principal, Role
from ovasabi.kernel.call.errors import InvalidValue

_FORM = re.compile(r"ovk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_SQL = load(__file__)

CACHED_SECONDS = 1.0
"""How long a process caches a key. A revoked key may keep working that long in other processes."""
_CACHE_SIZE = 10_000
_MAX_LOOKUPS = 1024
"""How many keys are looked up at a time: calls with unknown keys must not take the room of others."""


class Unauthenticated(OvasabiError):
    """The call was made without a valid API key. The error deliberately does not say why the key is not valid."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"
    message = "A valid API key is required."
    hint = "Send `Authorization: Bearer ovk_…`. Create a key with `ovasabi keys create`."


class ApiKey(msgspec.Struct, frozen=True):
    """An API key as it is listed, without its secret."""

    prefix: str
    name: str
    campaign_id: int
    role: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


async def create_key(
    url: str, name: str, role: Role, *, campaign_id: int = PLATFORM, expires_at: datetime | None = None
) -> str:
    """Creates a key and returns it; it cannot be retrieved later. `campaign_id` 0 means the whole platform.

    As all that manages keys, it needs the URL of a login that may act as the owner, which the serving one may not.
    """
    if not 1 <= len(name) <= 190 or not name.isprintable():
        raise InvalidValue(field="name", problem="The name of a key must have 1 to 190 printable characters.")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise InvalidValue(field="expires_at", problem="The expiry time must be in the future.")
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    async with as_owner(url) as owner:
        await owner.execute(_SQL["insert"], prefix, _digest(secret), name, campaign_id, role.value, expires_at)
    return f"ovk_{prefix}_{secret}"


async def list_keys(url: str) -> list[ApiKey]:
    """Returns all keys, oldest first, including expired and revoked ones."""
    async with as_owner(url) as owner:
        return [ApiKey(**row) for row in await owner.fetch(_SQL["list"])]


async def revoke_key(url: str, prefix: str) -> None:
    """Revokes a key by its prefix, with or without `ovk_`. Revoking it again has no effect."""
    bare = prefix.removeprefix("ovk_").split("_")[0]
    async with as_owner(url) as owner:
        revoked = await owner.fetch(_SQL["revoke"], bare)
    if not revoked:
        raise InvalidValue(
            field="prefix", problem=f"No key with the prefix {bare!r} was found.", hint="Run `ovasabi keys list`."
        )


class Keyring:
    """Finds the principal of a key. Valid keys are cached for a second; unknown ones are not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lookups = Concurrency(_MAX_LOOKUPS)
        self._cache: OrderedDict[bytes, tuple[float, Row]] = OrderedDict()

    async def principal(self, key: str) -> Principal:
        """Returns the principal of a key.

        Raises Unauthenticated if the key is malformed, unknown, wrong, expired or revoked.
        """
        match = _FORM.fullmatch(key)
        if match is None:
            raise Unauthenticated
        prefix, digest = match[1], _digest(match[2])
        row = await self._cached(prefix.encode() + digest, _SQL["find"], prefix, digest)
        if row is None or row["revoked_at"] is not None or _is_past(row["expires_at"]):
            raise Unauthenticated
        return Principal(name=f"key:{row['prefix']}", campaign_id=row["campaign_id"], role=Role(row["role"]))

    async def check_standing(self, actor: str) -> None:
        """Raises Unauthenticated if an actor is a key that was revoked or expired, whatever another process says."""
        if not actor.startswith("key:"):
            return
        row = await self._cached(actor.encode(), _SQL["standing"], actor)
        if row is not None and row["revoked"]:
            raise Unauthenticated

    async def _cached(self, known: bytes, sql: str, *args: Any) -> Row | None:
        """Returns the row of a statement, looked up again after a second; that there is none is not remembered."""
        now = time.monotonic()
        cached = self._cache.get(known)
        if cached is not None and cached[0] > now:
            return cached[1]
        self._lookups.enter(ALL)
        try:
            rows = await self._database.read(sql, *args, pool=Pool.READ_PLANNED)
        finally:
            self._lookups.leave(ALL)
        self._cache.pop(known, None)
        if not rows:
            return None
        self._cache[known] = (now + CACHED_SECONDS, rows[0])
        if len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        return rows[0]


def _is_past(at: datetime | None) -> bool:
    return at is not None and at <= datetime.now(UTC)


def _digest(secret: str) -> bytes:
    # The secret has 256 random bits: a slow hash would not protect it any better.
    return hashlib.sha256(secret.encode()).digest()
