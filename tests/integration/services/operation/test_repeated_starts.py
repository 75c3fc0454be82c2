"""A start that is repeated across an upgrade is recognized, whatever the digests of requests are made of."""

import hashlib

import msgspec
import pytest

from ovasabi.kernel.call.context import CLIENT_KEY
from ovasabi.kernel.call.errors import KeyReused
from ovasabi.kernel.declare.entity import type_of
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.row_codec import Codec
from ovasabi.kernel.transfer.import_export import ExportRequest
from ovasabi.system.operation.entity import Operation
from ovasabi.system.operation.service import _given
from tests.integration.kernel.fixtures import admin
from tests.integration.services.operation_fixtures import as_somebody, start_export

KEY = f"{CLIENT_KEY}export-1"


async def test_a_start_from_before_an_upgrade_is_recognized_when_it_is_repeated(
    registry: ServiceRegistry, database_url: str, campaign: int
) -> None:
    whole = msgspec.json.encode(ExportRequest(filter="state = draft")).decode()
    of_old = {"kind": "contents_export", "request_digest": hashlib.sha256(f"None\0{whole}".encode()).hexdigest()}
    initial = {field.name: field.initial() for field in type_of(Operation).stored} | {"metadata": {}}
    with as_somebody(campaign, "key:ada"):
        started = await start_export(registry, key=KEY, filter="state = draft")
        async with admin(database_url) as connection:
            aged = "UPDATE idempotency SET caller = '', digest = $2 WHERE campaign_id = $1"
            await connection.execute(aged, campaign, Codec(Operation).digest(initial | of_old, 1))
        assert await start_export(registry, key=KEY, filter="state = draft") == started
        with pytest.raises(KeyReused):
            await start_export(registry, key=KEY, filter="state = published")
    with as_somebody(campaign, "key:bob"), pytest.raises(KeyReused):
        await start_export(registry, key=KEY, filter="state = draft")


def test_a_further_field_of_a_request_does_not_change_what_is_compared() -> None:
    class Longer(ExportRequest, frozen=True, kw_only=True):
        """The request of a later version."""

        compressed: bool = False
        columns: list[str] = msgspec.field(default_factory=list)

    assert _given(Longer(filter="a")) == _given(ExportRequest(filter="a")) != _given(ExportRequest(filter="b"))
    assert _given(Longer(filter="a", compressed=True)) != _given(Longer(filter="a"))
    assert _given(None) == "{}"
