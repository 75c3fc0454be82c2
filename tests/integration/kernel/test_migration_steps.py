"""A step that fails leaves nothing behind, two at once do not meet, and a new entity writes its own step."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

import ovasabi
from ovasabi.database.roles import ensure_roles
from ovasabi.kernel.search.full_text import search
from ovasabi.lifecycle import migrations, partitions, sql_objects
from tests.integration.kernel.fixtures import TEXTS, admin, pools, schema_of, within

SOURCE = Path(ovasabi.__file__).parent
WRITTEN = """
WITH made AS (SELECT next_id() AS id),
registered AS (
  INSERT INTO master (id, uuid, campaign_id, type, name, created_at, updated_at)
  SELECT id, id_uuid(id), $1, 'content', $2, id_time(id), id_time(id) FROM made)
INSERT INTO service_content_main (campaign_id, created_at, master_id, title, body, tags, updated_at)
SELECT $1, id_time(id), id, $2, $3, $4, id_time(id) FROM made"""
"""How a content is written to tables of an earlier version, as far as searches see it."""
PENDING = "gin_pending_list_limit=2048"


class Copy:
    """A copy of the program with a history of its own, run in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SOURCE, folder / "src" / "ovasabi", ignore=ignored)
        shutil.copytree(migrations.folder(), folder / "migrations", ignore=ignored)
        shutil.copytree(sql_objects.folder(), folder / "sql")

    @property
    def versions(self) -> Path:
        """Where its migrations are."""
        return self.folder / "migrations" / "versions"

    def add(self, body: str) -> None:
        """Adds a migration on top, or writes it anew."""
        head = f'"""A step."""\nfrom alembic import op\nrevision = "9999"\ndown_revision = {migrations.heads()!r}\n'
        lines = "".join(f"    op.execute({statement!r})\n" for statement in body.split(";") if statement.strip())
        (self.versions / "9999_step.py").write_text(f"{head}\n\ndef upgrade() -> None:\n{lines}")

    async def run(self, url: str, code: str = "await m.upgrade(url)") -> tuple[bool, str]:
        """Runs a call of its migrations; answers whether it succeeded, and what it said."""
        program = (
            "import asyncio, sys\nfrom ovasabi.discovery import discover\n"
            "from ovasabi.lifecycle import migrations as m\n"
            "from ovasabi.errors import OvasabiError\ndiscover()\n"
            f"async def main(url):\n    try:\n        {code}\n"
            "    except OvasabiError as error:\n        sys.exit(f'{error.code}: {error}')\n"
            "asyncio.run(main(sys.argv[1]))"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, url,
            env={"PYTHONPATH": str(self.folder / "src"), "PATH": ""},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode == 0, output.decode().strip()


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A copy of the program."""
    return Copy(tmp_path)


async def test_a_migration_that_fails_half_way_leaves_nothing_behind(migrated_url: str, copy: Copy) -> None:
    done = await schema_of(migrated_url)
    copy.add("CREATE TABLE half (id int); ALTER TABLE master ADD COLUMN half int; SELECT 1 / 0")
    succeeded, said = await copy.run(migrated_url)
    assert not succeeded
    assert said == "migration_failed: The migration failed: division by zero."
    assert await schema_of(migrated_url) == done
    assert await migrations.current_revisions(migrated_url) == migrations.heads()
    copy.add("CREATE TABLE half (id int)")
    assert await copy.run(migrated_url) == (True, "")
    assert await migrations.current_revisions(migrated_url) == ("9999",)


async def test_steps_before_the_failing_one_are_kept_and_only_those(empty_url: str, copy: Copy) -> None:
    copy.add("CREATE TABLE half (id int); SELECT 1 / 0")
    succeeded, _ = await copy.run(empty_url)
    assert not succeeded
    assert await migrations.current_revisions(empty_url) == migrations.heads()
    assert await migrations.differences(empty_url) == []
    assert "half" not in {row[1] for row in await schema_of(empty_url)}


async def test_two_upgrades_of_one_empty_database_at_once_both_succeed(empty_url: str, copy: Copy) -> None:
    answers = await asyncio.gather(*(copy.run(empty_url) for _ in range(3)))
    assert answers == [(True, "")] * 3
    assert await migrations.differences(empty_url) == []


async def test_a_blocked_migration_fails_with_one_clear_error_instead_of_hanging(migrated_url: str, copy: Copy) -> None:
    done = await schema_of(migrated_url)
    text = (copy.folder / "src/ovasabi/lifecycle/migrations.py").read_text()
    assert text.count('LOCK_TIMEOUT = "5s"') == 1
    (copy.folder / "src/ovasabi/lifecycle/migrations.py").write_text(text.replace('"5s"', '"300ms"'))
    copy.add("ALTER TABLE master ADD COLUMN half int")
    async with admin(migrated_url) as connection:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM master")
            succeeded, said = await copy.run(migrated_url)
        assert not succeeded
        assert said == "migration_failed: The migration failed: canceling statement due to lock timeout."
        assert await schema_of(migrated_url) == done
        assert await copy.run(migrated_url) == (True, "")


async def test_the_migration_of_a_new_entity_is_written_from_its_declaration(empty_url: str, copy: Copy) -> None:
    service = copy.folder / "src/ovasabi/services/sampleprobe"
    service.mkdir()
    (service / "__init__.py").write_text('"""A sampleprobe."""\n')
    (service / "service.py").write_text(
        '"""Sampleprobes."""\nfrom ovasabi.kernel.service import EntityService\n'
        "from ovasabi.services.sampleprobe.entity import Sampleprobe\n\n\n"
        'class Sampleprobes(EntityService[Sampleprobe]):\n    """Sampleprobes."""\n'
    )
    (service / "entity.py").write_text(
        '"""A sampleprobe."""\nfrom typing import Annotated\nfrom msgspec import Meta\n'
        "from ovasabi.kernel.declare.entity import Entity, entity\n"
        "from ovasabi.kernel.declare.fields import Filter, Search\n\n\n"
        '@entity(plural="sampleprobes", title="name")\nclass Sampleprobe(Entity):\n    """A sampleprobe."""\n\n'
        '    name: Annotated[str, Meta(max_length=40), Search("A")]\n'
        "    weight: Annotated[int, Meta(ge=0), Filter()] = 0\n"
    )
    before = set(copy.versions.iterdir())
    assert (await copy.run(empty_url, "await m.upgrade(url); print(await m.new(url, 'the sampleprobe'))"))[0]
    (written,) = set(copy.versions.glob("*.py")) - before
    text = written.read_text()
    assert "register_entity('sampleprobe', 'sampleprobe', 'service_sampleprobe_main', 'campaign', true)" in text
    assert "drop" not in text.lower()
    again = "await m.upgrade(url); print(await m.differences(url), await m.new(url, 'x'))"
    succeeded, said = await copy.run(empty_url, again)
    assert succeeded
    assert said.splitlines()[-1] == "[] None"
    async with admin(empty_url) as connection:
        forced = "SELECT relforcerowsecurity FROM pg_class WHERE oid = 'service_sampleprobe_main'::regclass"
        assert await connection.fetchval(forced)
        assert await connection.fetchval("SELECT to_regclass('service_sampleprobe_main_pool') IS NOT NULL")


async def test_a_database_with_data_finds_the_same_after_the_steps_since_its_release(
    empty_url: str,
) -> None:
    await ensure_roles(empty_url)
    await migrations.upgrade_tables(empty_url, "0002")
    assert await migrations.current_revisions(empty_url) == ("0002",)
    queries = ["programming ", "progr", "event -loop", '"event loop"', "asynchronuos ", "decimel", "common", "absent"]
    async with pools(empty_url) as database:
        await partitions.ensure(database, 0)
        pooled, dedicated = 1, 2
        await partitions.dedicate(database, dedicated, 0)
        texts = [*((title, body, [name]) for name, (title, body) in TEXTS.items())]
        texts += [(f"common {n}", "", []) for n in range(150)]
        async with admin(empty_url) as connection:
            for campaign in (pooled, dedicated):
                await connection.executemany(WRITTEN, [(campaign, *text) for text in texts])

        async def answers() -> list[object]:
            found = []
            for campaign in (pooled, dedicated):
                with within(campaign):
                    found += [await search(database, query, limit=100) for query in queries]
            return found

        before = await answers()
        assert len({len(answer.hits) for answer in before}) > 2  # type: ignore[attr-defined]
        await migrations.upgrade(empty_url)
        assert await answers() == before
        await partitions.ensure(database, 1)
    async with admin(empty_url) as connection:
        options = "SELECT c.relname, c.reloptions FROM pg_class c JOIN pg_am a ON a.oid = relam "
        leaves = await connection.fetch(f"{options} WHERE amname = 'gin' AND relkind = 'i'")
        compared = "SELECT polrelid::regclass::text, pg_get_expr(polqual, polrelid) AS text FROM pg_policy"
        policies = [row["text"] for row in await connection.fetch(f"{compared} WHERE polname = 'campaign_scope'")]
    assert len(leaves) > 20
    assert {row["relname"]: row["reloptions"] for row in leaves if row["reloptions"] != [PENDING]} == {}
    assert [text for text in policies if "campaign_id" in text and "COALESCE" not in text] == []
