"""Whatever plan PostgreSQL chooses, a statement has its scope before it looks at a row."""

import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.locks import acquire, release, renew
from ovasabi.kernel.events.log import read_events
from ovasabi.kernel.search.full_text import search
from ovasabi.kernel.search.generations import Generations
from ovasabi.kernel.search.registry import EntityRegistry
from ovasabi.kernel.store.history import state_at
from ovasabi.kernel.store.listing import ListRequest, list_page
from ovasabi.services.content.entity import Content
from tests.integration.kernel.fixtures import admin, contents, pools, within

PLANS = [
    "",
    "enable_nestloop=off",
    "enable_nestloop=off&enable_hashjoin=off",
    "enable_nestloop=off&enable_mergejoin=off",
    "enable_hashjoin=off&enable_mergejoin=off",
    "enable_indexscan=off&enable_bitmapscan=off&enable_indexonlyscan=off",
    "enable_indexscan=off&enable_bitmapscan=off&enable_indexonlyscan=off&enable_nestloop=off",
    "enable_indexscan=off&enable_bitmapscan=off&enable_indexonlyscan=off&enable_nestloop=off&enable_hashjoin=off",
    "enable_material=off&enable_sort=off",
    "join_collapse_limit=1&from_collapse_limit=1",
    "cpu_tuple_cost=1000",
    "random_page_cost=1000000",
]


@pytest.mark.parametrize("analyzed", [False, True], ids=["no statistics", "analyzed"])
@pytest.mark.parametrize("plan", PLANS)
async def test_every_statement_works_under_every_kind_of_plan(
    database: Database, database_url: str, campaign: int, plan: str, analyzed: bool
) -> None:
    if analyzed:
        async with admin(database_url) as connection:
            await connection.execute(
                "ANALYZE master, master_key, idempotency, lease, service_event, service_content_main"
            )
    async with pools(f"{database_url}&{plan}".rstrip("&"), readers=1, writers=1) as narrow:
        repository, registry, changes = contents(narrow), EntityRegistry(narrow), Generations(narrow)
        with within(campaign):
            lease = await acquire(narrow, "plans", 30)
            await renew(narrow, lease)
            await release(narrow, lease)
            assert (await acquire(narrow, "plans", 30)).token == lease.token + 1
            generation = await changes.generation(campaign)
            made = await repository.create({"title": "planned words", "slug": "one"}, key="k")
            assert await repository.create({"title": "planned words", "slug": "one"}, key="k") == made
            assert (await repository.update(made.id, {"slug": "two", "title": "changed words"})).slug == "two"
            assert (await repository.update(made.id, {"body": "b", "slug": "two"}, expected_version=2)).version == 3
            assert (await repository.create({"title": "other", "slug": "one"})).slug == "one"
            assert (await repository.adjust(made.id, {"comment_count": 2}, verb="count")).comment_count == 2
            assert (await repository.delete(made.id)).version == 4
            assert (await repository.restore(made.id)).version == 5
            now = await repository.get(made.id)
            assert (await list_page(repository, ListRequest(filter='slug = "two"', include_total=True))).items == [now]
            assert [hit.id for hit in (await search(narrow, "changed words")).hits] == [made.id]
            assert [record.id for record in await registry.search("changed")] == [made.id]
            assert made.id in [record.id for record in (await registry.list()).records]
            assert (await registry.get(made.id)).version == 5
            assert len(await read_events(narrow, entity_id=made.id)) == 6
            assert await changes.generation(campaign) > generation
            assert await state_at(narrow, Content, made.id, now.updated_at) == now
