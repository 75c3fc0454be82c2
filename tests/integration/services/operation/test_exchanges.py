"""Exports, and imports of what was exported."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import PLATFORM
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.kernel.transfer.import_export import ImportRequest
from ovasabi.services.content.entity import ContentKind
from ovasabi.system.operation.running import carrying_out
from tests.conftest import new_campaign
from tests.integration.services.operation_fixtures import (
    downloaded,
    finished,
    start,
    start_export,
    within,
)


async def test_an_export_imported_elsewhere_gives_the_same_drafts(
    registry: ServiceRegistry, database: Database
) -> None:
    here, there = await new_campaign(registry), await new_campaign(registry)
    until_then = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
    metadata = {"tags": ["a"], "service_specific": {"content": {"section": "Ü", "n": [1, {"x": None, "y": 1.5}]}}}
    drafts: dict[str, list[dict[str, Any]]] = {
        "content": [
            {"title": f"C {n}", "body": 'Zeile "1"\nZeile 2 \\ \u2028', "slug": None, "tags": ["x", "y;z"]}
            | {"metadata": metadata}
            for n in range(450)
        ],
        "product": [{"name": f"P {n}", "metadata": {"tags": [str(n)]}} for n in range(3)],
        "quote": [
            {"description": "Q", "amount": Decimal("19.90000001") * n, "currency": "EUR", "valid_until": until_then}
            for n in range(1, 4)
        ],
    }
    async with carrying_out(registry):
        for name, values in drafts.items():
            with within(here):
                await registry.named(name).create_many([NewEntity(value) for value in values])
                exported = await finished(registry, (await start_export(registry, name)).id)
                assert exported.result is not None
                assert exported.result["entities"] == len(values) == exported.total
                pieces = await downloaded(registry, exported)
                text = "".join(pieces)
                assert exported.result["bytes"] == len(text.encode())
            with within(there):
                imported = await finished(
                    registry, (await start(registry, "import", ImportRequest(text), type=name)).id
                )
                assert imported.result == {"created": len(values), "present": 0, "rejected": 0, "rejects": []}
            both = []
            for campaign in (here, there):
                with within(campaign):
                    both.append(await drafts_of(registry, name))
            assert both[0] == both[1]
            assert len(both[0]) == len(values)
            assert {tuple(value) for value in both[0]} == {registry.named(name).repository.of.draft.__struct_fields__}
        assert len(pieces) == 1


async def drafts_of(registry: ServiceRegistry, name: str) -> list[dict[str, Any]]:
    """The draft of each entity, in order of what it says: of those of one millisecond none is the first."""
    service = registry.named(name)
    fields = service.repository.of.draft.__struct_fields__
    items = (await service.list(ListRequest(page_size=1000))).items
    return sorted(({field: getattr(item, field) for field in fields} for item in items), key=str)


async def test_an_export_is_filtered_whole_or_empty_as_asked(registry: ServiceRegistry, campaign: int) -> None:
    with within(campaign):
        contents = registry.named("content")
        made = [
            await contents.create({"title": f"t{n}", "kind": kind})
            for n, kind in enumerate((ContentKind.ARTICLE, ContentKind.STORY))
        ]
        async with carrying_out(registry):
            some = await finished(registry, (await start_export(registry, filter=f'kind = "{made[1].kind}"')).id)
            whole = await finished(registry, (await start_export(registry, whole=True)).id)
            none = await finished(registry, (await start_export(registry, filter='slug = "nothing"')).id)
            wrong = await finished(registry, (await start_export(registry, filter="nothing = 1")).id)
        assert [json.loads(line)["title"] for line in (await downloaded(registry, some))[0].splitlines()] == ["t1"]
        ids = [json.loads(line)["id"] for line in "".join(await downloaded(registry, whole)).splitlines()]
        assert ids == [content.id for content in made]
        assert await downloaded(registry, none) == [""]
        assert none.result == {"entities": 0, "bytes": 0}
        assert wrong.error is not None
        assert wrong.error.kind == "invalid"


async def test_large_rows_are_put_out_in_pieces_and_read_in_small_pages(
    registry: ServiceRegistry, campaign: int
) -> None:
    with within(campaign):
        contents = registry.named("content")
        await contents.create_many([NewEntity({"title": f"{n}", "body": "x" * 400_000}) for n in range(12)])
        async with carrying_out(registry):
            done = await finished(registry, (await start_export(registry)).id)
        pieces = await downloaded(registry, done)
    assert len(pieces) > 3
    assert max(map(len, pieces)) < 1_500_000
    assert {json.loads(line)["title"] for line in "".join(pieces).splitlines()} == {str(n) for n in range(12)}


async def test_the_platform_has_operations_too(registry: ServiceRegistry) -> None:
    name = f"u{uuid.uuid4().hex[:10]}"
    with within(PLATFORM):
        data = json.dumps({"username": name, "email": f"{name}@example.org", "password": "Str0ng!words"})
        async with carrying_out(registry):
            imported = await finished(registry, (await start(registry, "import", ImportRequest(data), type="user")).id)
            exported = await finished(registry, (await start_export(registry, "user")).id)
        assert imported.result is not None
        assert imported.result["created"] == 1
        assert imported.campaign_id == PLATFORM
        text = "".join(await downloaded(registry, exported))
    assert name in text
    assert "password" not in text
