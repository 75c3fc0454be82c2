"""Callers shape statements by their filters: however many they try, a session keeps few of them prepared."""

from itertools import combinations

from ovasabi.database import shapes
from ovasabi.database.pools import Pool
from ovasabi.kernel.store.listing import ListRequest, list_page
from tests.integration.kernel.fixtures import contents, make_campaign, pools, within

FIELDS = (
    "kind = article",
    "visibility = public",
    "state = draft",
    "tags:a",
    "slug = x",
    "author_id = 1",
    "parent_id = 2",
)
FILTERS = [" AND ".join(some) for count in range(1, 8) for some in combinations(FIELDS, count)]
"""Filters of as many shapes."""


async def test_a_session_keeps_few_of_the_statements_that_callers_shape(database_url: str, database) -> None:
    number = await make_campaign(database)
    assert len(FILTERS) > shapes.PLACES
    async with pools(database_url, readers=1, writers=1) as opened:
        repository = contents(opened)
        kept = []
        for _ in range(3):
            with within(number):
                for filter in FILTERS:
                    assert (await list_page(repository, ListRequest(filter=filter))).items == []
            async with opened._connection(Pool.READ, 5) as connection:
                kept.append(await connection.fetchval("SELECT count(*) FROM pg_prepared_statements"))
        alone, *again = kept
        assert alone < 10, "what comes once is not kept"
        assert all(shapes.PLACES <= count < shapes.PLACES + 10 for count in again)


async def test_rows_are_the_same_whether_their_statement_is_kept_or_not(database_url: str, database) -> None:
    number = await make_campaign(database)
    async with pools(database_url, readers=1, writers=1) as opened:
        repository = contents(opened)
        with within(number):
            made = await repository.create({"title": "one", "tags": ["a"]})
            await repository.create({"title": "two"})
            for _ in range(3):
                page = await list_page(repository, ListRequest(filter="tags:a", include_total=True))
                assert ([item.id for item in page.items], page.total_size) == ([made.id], 1)
