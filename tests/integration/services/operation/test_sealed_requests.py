"""A password in a request is in no table, index or log of the database, neither as it is nor as a digest to try."""

import hashlib
import json
import uuid
from pathlib import Path

import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.database.secret_keys import SecretKeys
from ovasabi.kernel.call.context import CLIENT_KEY, PLATFORM
from ovasabi.kernel.call.errors import KeyReused
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.transfer.import_export import ImportRequest
from ovasabi.system.operation.running import carrying_out
from tests.integration.kernel.fixtures import admin, pools
from tests.integration.services.operation_fixtures import as_somebody, finished, start, within

OLD, NEW = "old-" + "o" * 40, "new-" + "n" * 40
KEY = f"{CLIENT_KEY}import-1"


def users(password: str) -> ImportRequest:
    """Two users with this password to import, and one that is refused because of it."""
    names = [f"u{uuid.uuid4().hex[:12]}" for _ in range(2)]
    rows = [{"username": name, "email": f"{name}@example.org", "password": password} for name in names]
    rows.append({"username": "x", "email": "x@example.org", "password": password})
    return ImportRequest("".join(json.dumps(row) + "\n" for row in rows))


def files_with(folder: Path, text: str) -> list[str]:
    """The files of a data directory that contain a text, the write-ahead log among them."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


async def imported(url: str, keys: SecretKeys, request: ImportRequest, key: str | None = None) -> ServiceRegistry:
    """Imports users in a process with these keys."""
    async with pools(url, readers=2, writers=2, secret_keys=keys) as database:
        registry = ServiceRegistry(database)
        async with carrying_out(registry):
            with within(PLATFORM):
                operation = await finished(
                    registry, (await start(registry, "import", request, type="user", key=key)).id
                )
        assert operation.result is not None
        assert (operation.result["created"], operation.result["rejected"]) == (2, 1)
        return registry


async def test_an_import_of_users_leaves_no_password_behind(server: EmbeddedServer, migrated_url: str) -> None:
    password = f"Aa1!{uuid.uuid4().hex}"
    request = users(password)
    await imported(migrated_url, SecretKeys([NEW]), request, KEY)
    async with admin(migrated_url) as connection:
        await connection.execute("CHECKPOINT")
        stored = await connection.fetch("SELECT digest FROM idempotency")
        shown = await connection.fetch("SELECT request_digest FROM service_operation_main")
    assert files_with(server.data, request.data.split('"')[3]) != [], "the name is in them: they can be read"
    assert files_with(server.data, password) == []
    whole = f"None\0{msgspec.json.encode(request).decode()}".encode()
    unkeyed = hashlib.sha256(whole).digest()
    assert all(unkeyed not in row["digest"] for row in stored)
    assert [row["request_digest"] for row in shown] != [unkeyed.hex()]


async def test_a_request_is_carried_out_and_recognized_after_the_key_was_replaced(
    database_url: str, campaign: int
) -> None:
    request = users("Aa1!" + "b" * 20)
    async with pools(database_url, readers=2, writers=2, secret_keys=SecretKeys([OLD])) as before:
        with as_somebody(PLATFORM, "key:ada"):
            started = await start(ServiceRegistry(before), "import", request, type="user", key=KEY)
    async with pools(database_url, readers=2, writers=2, secret_keys=SecretKeys([NEW, OLD])) as after:
        registry = ServiceRegistry(after)
        with as_somebody(PLATFORM, "key:ada"):
            assert await start(registry, "import", request, type="user", key=KEY) == started
            with pytest.raises(KeyReused):
                await start(registry, "import", users("Aa1!" + "c" * 20), type="user", key=KEY)
            async with carrying_out(registry):
                done = await finished(registry, started.id)
    assert done.result is not None
    assert done.result["created"] == 2


async def test_what_a_version_without_keys_stored_is_carried_out_and_recognized(
    database: Database, database_url: str
) -> None:
    request = users("Aa1!" + "d" * 20)
    with as_somebody(PLATFORM, "key:bob"):
        started = await start(ServiceRegistry(database), "import", request, type="user", key=KEY)
        async with pools(database_url, readers=2, writers=2, secret_keys=SecretKeys([NEW])) as after:
            registry = ServiceRegistry(after)
            assert await start(registry, "import", request, type="user", key=KEY) == started
            async with carrying_out(registry):
                assert (await finished(registry, started.id)).error is None


async def test_work_that_no_process_can_open_fails_with_a_clear_error(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ovasabi.system.operation.running.ATTEMPTS", 1)
    async with pools(database_url, readers=2, writers=2, secret_keys=SecretKeys([OLD])) as before:
        with as_somebody(PLATFORM, "key:cy"):
            started = await start(ServiceRegistry(before), "import", users("Aa1!" + "e" * 20), type="user")
    async with pools(database_url, readers=2, writers=2, secret_keys=SecretKeys([NEW])) as after:
        registry = ServiceRegistry(after)
        async with carrying_out(registry):
            with as_somebody(PLATFORM, "key:cy"):
                failed = await finished(registry, started.id)
    assert failed.error is not None
    assert failed.error.code == "secret_key_unknown"


async def test_a_secret_does_not_identify_a_line(registry: ServiceRegistry) -> None:
    async with carrying_out(registry):
        with within(PLATFORM):
            request = msgspec.structs.replace(users("Aa1!" + "f" * 20), key="password")
            failed = await finished(registry, (await start(registry, "import", request, type="user")).id)
    assert failed.error is not None
    assert failed.error.detail.startswith("password is secret and cannot identify a line")
