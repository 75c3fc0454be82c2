"""What a manifest says about its dump is checked without a database, by counting the rows of the dump."""

import shutil
from pathlib import Path

import pytest

from ovasabi.lifecycle.backup.dump_rows import check_rows
from ovasabi.lifecycle.backup.errors import RestoreFailed
from ovasabi.lifecycle.backup.manifest import read
from ovasabi.lifecycle.backup.save import save
from tests.integration.kernel.fixtures import admin
from tests.integration.kernel.test_sql_objects import used
from tests.integration.test_backup import LIMITS, edited, folder

__all__ = ["folder"]  # a fixture

TABLE = 'CREATE TABLE "Zebra "" crossing" (at int, note text) PARTITION BY RANGE (at)'
PARTS = [
    'CREATE TABLE "First;" PARTITION OF "Zebra "" crossing" FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (at)',
    'CREATE TABLE below PARTITION OF "First;" FOR VALUES FROM (0) TO (5)',
    r"""INSERT INTO "Zebra "" crossing" SELECT n, E'\\.\n\\.\nCOPY public.x (a) FROM stdin;\n'
        FROM generate_series(1, 4) AS n""",
]
WRONG = {
    "fewer rows": ({"master": {"rows": 1, "sum": "0"}}, r"has [0-9,]+ rows of master, but manifest.json says 1\.$"),
    "more rows": ({"master": {"rows": 10**9, "sum": "0"}}, "but manifest.json says 1,000,000,000"),
    "a table that is not there": ({"x": {"rows": 7, "sum": "0"}}, "has 0 rows of x, but manifest.json says 7"),
    "rows of a partitioned table": ({'Zebra " crossing': {"rows": 3, "sum": "0"}}, 'has 4 rows of Zebra " crossing'),
}


async def test_the_rows_of_a_dump_are_as_many_as_its_manifest_says(migrated_url: str, folder: Path) -> None:
    await used(migrated_url)
    async with admin(migrated_url) as connection:
        for statement in (TABLE, *PARTS):
            await connection.execute(statement)
    made = await save(migrated_url, folder / "backup", **LIMITS)
    assert made.inventory.tables['Zebra " crossing'].rows == 4
    assert made.inventory.tables["service_event"].rows > 10
    check_rows(folder / "backup", made)
    for name, (tables, told) in WRONG.items():
        shutil.copytree(folder / "backup", folder / name)
        edited(lambda manifest, tables=tables: manifest["inventory"]["tables"].update(tables))(folder / name)
        with pytest.raises(RestoreFailed, match=told):
            check_rows(folder / name, read(folder / name))
    edited(lambda manifest: manifest["inventory"]["tables"].pop("master"))(folder / "backup")
    with pytest.raises(RestoreFailed, match="rows of master"):
        check_rows(folder / "backup", read(folder / "backup"))
