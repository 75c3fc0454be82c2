"""Creates keep their plans: one that is made while all is empty must serve when it is not."""

import pytest

from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.statements.writing import Statements
from ovasabi.lifecycle import partitions

ARGUMENTS = """'{1}', ARRAY[1], ARRAY['{}'], ARRAY['key'], ARRAY['\\x00'::bytea], ARRAY['a:b:v1:success'],
               ARRAY['actor'], ARRAY['correlation'], ARRAY[1]"""


KEPT = sorted(name for name, of in declared.items() if of.counter is None)
"""The types whose creates reuse their plans: a create that counts is planned each time, as any update is."""


@pytest.mark.parametrize("name", KEPT)
async def test_a_plan_that_was_made_on_empty_tables_looks_keys_up_in_indexes(database: Database, name: str) -> None:
    async with database._connection(Pool.WRITE_PLANNED, 5) as connection:
        plan = await _kept_plan(connection, name)
    assert "ModifyTable" not in plan
    assert "Insert on" in plan
    assert [line for line in plan.splitlines() if "Seq Scan" in line] == []


async def test_the_first_create_of_a_new_database_keeps_a_plan_for_full_ones(migrated_url: str) -> None:
    opened = await Database(migrated_url, readers=1, writers=1).open()
    try:
        await partitions.ensure(opened, 0)
        async with opened._connection(Pool.WRITE_PLANNED, 5) as connection:
            for name in KEPT:
                assert "Seq Scan" not in await _kept_plan(connection, name), name
    finally:
        await opened.close()


async def _kept_plan(connection, name: str) -> str:
    """The generic plan of a create, as this connection would keep it."""
    await connection.execute(f"PREPARE kept AS {Statements(declared[name]).create}")
    try:
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN (COSTS OFF) EXECUTE kept ({ARGUMENTS})"))
    finally:
        await connection.execute("DEALLOCATE kept")
