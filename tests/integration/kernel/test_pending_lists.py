"""Full-text indexes under writes: their pending lists are merged in the background, in the leaf that was written to."""

from datetime import UTC, datetime

import pytest

from ovasabi.database.connection import Database
from ovasabi.database.pending_lists import DUE, MERGE
from ovasabi.kernel.store.partitions import dedicate
from ovasabi.kernel.store.rows import Change, NewEntity
from tests.integration.kernel.fixtures import admin, contents, make_campaign, within

PAGES = "SELECT gin_clean_pending_list($1::text::regclass)"
TABLE = "service_content_main"


def leaf(branch: str) -> str:
    """The leaf of this month."""
    return f"{TABLE}_{branch}_{datetime.now(UTC):%Y%m}"


async def pending(url: str, index: str) -> int:
    """The pages of an index's pending list, which this merges."""
    async with admin(url) as connection:
        return int(await connection.fetchval(PAGES, index))


@pytest.mark.parametrize("own_partitions", [False, True])
async def test_what_many_writes_leave_in_the_lists_is_merged(
    database: Database, database_url: str, own_partitions: bool
) -> None:
    campaign, repository = await make_campaign(database), contents(database)
    if own_partitions:
        await dedicate(database, campaign, 0)
    branch = f"c{campaign}" if own_partitions else "pool"
    lists = {"words": f"{leaf(branch)}_search_vector_idx", "names": "master_name_keys_idx"}
    for index in lists.values():
        await pending(database_url, index)

    async def write(number: int) -> list[int]:
        drafts = [NewEntity({"title": f"Title {n} of {branch}", "body": f"body {n}"}) for n in range(number)]
        return [entity.id for entity in await repository.create_many(drafts)]

    with within(campaign):
        ids = await write(DUE // 2)
        await database.pending_lists.settled()
        assert [await pending(database_url, index) > 0 for index in lists.values()] == [True, True], "not due yet"
        database.pending_lists._weights.clear()
        await write(DUE)
        await database.pending_lists.settled()
        assert [await pending(database_url, index) for index in lists.values()] == [0, 0]
        for _ in range(2):
            await repository.update_many([Change(id, {"body": "another body"}) for id in ids])
        await database.pending_lists.settled()
        assert [await pending(database_url, index) for index in lists.values()] == [0, 0], "changes count as well"


async def test_only_indexes_of_our_tables_are_merged(database: Database) -> None:
    for table in ("no_such_table", "pg_class", "x'; DROP TABLE master; --", '"', ""):
        assert [row[0] for row in await database.write(MERGE, table)] == [0]
