"""Every type in lists and searches."""

from typing import Any

import msgspec

from ovasabi.kernel.call.context import PLATFORM, acting, system_context
from ovasabi.kernel.declare.entity import EntityType, Scope
from ovasabi.kernel.service import SearchRequest
from ovasabi.kernel.store.listing import ListRequest
from tests.integration.drafts import Maker, within


async def test_pages_neither_repeat_nor_miss_while_others_write(of: EntityType, maker: Maker) -> None:
    service, made = maker.service(of.name), [await maker.create(of.name) for _ in range(5)]
    ids, first = [entity.id for entity in made], made[0].id
    orders = [
        "",
        "created_at",
        *(f"{f.name} {way}" for f in of.fields if f.sortable and not f.nullable for way in ("asc", "desc")),
    ]
    with acting(system_context("test", maker.campaign if of.scope is Scope.CAMPAIGN else PLATFORM)):
        for order in orders:
            found: list[Any] = []
            request = ListRequest(page_size=2, order_by=order, filter=f"id >= {first} AND id <= {ids[-1]}")
            while True:
                page = await service.list(request)
                found += page.items
                if not page.next_page_token:
                    break
                await maker.create(of.name, await maker.least(of.name))
                request = msgspec.structs.replace(request, page_token=page.next_page_token)
            assert sorted(entity.id for entity in found) == ids, order
            name, _, way = (order or "created_at desc").partition(" ")
            keys = [(getattr(entity, name), entity.id) for entity in found]
            assert keys == sorted(keys, reverse=way == "desc"), order


async def test_its_text_is_found_in_its_campaign(of: EntityType, maker: Maker) -> None:
    made = await maker.create(of.name)
    with within(made):
        for field in of.searched:
            value = getattr(made, field.name)
            word = (value[0] if field.is_list else value).split()[0]
            answer = await maker.service(of.name).search(SearchRequest(q=word))
            assert made.id in [hit.entity.id for hit in answer.hits], field.name
