"""History gives exactly the declared schema, once, whoever applies it, and a step that fails leaves nothing behind."""

import asyncio
import shutil
import sys
from pathlib import Path

import asyncpg
import pytest
from kernel_kit import admin
from sqlalchemy.dialects import postgresql

import ovasabi
from ovasabi.database.roles import ensure_roles
from ovasabi.kernel.entity import declared
from ovasabi.kernel.schema import metadata_of
from ovasabi.lifecycle import migrations

SOURCE = Path(ovasabi.__file__).parent
_CATALOG = """
SELECT 'column', attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull::text,
       pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  JOIN pg_class c ON c.oid = attrelid AND relnamespace = 'public'::regnamespace AND attnum > 0 AND relkind IN ('r', 'p')
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename, indexname, indexdef, NULL, NULL FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), proacl::text,
       proowner::regrole::text, NULL
  FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND prokind <> 'a'
    AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
UNION ALL SELECT 'policy', tablename, policyname, roles::text, qual, with_check FROM pg_policies
UNION ALL SELECT 'table', relname, relacl::text, relowner::regrole::text, relrowsecurity::text,
       relforcerowsecurity::text
  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), NULL, NULL
  FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'comment', objoid::regclass::text, objsubid::text, description, NULL, NULL FROM pg_description
  WHERE classoid = 'pg_class'::regclass AND objoid >= 16384
ORDER BY 1, 2, 3, 4"""


async def catalog(url: str) -> list[tuple]:
    """All that a migration makes, as text."""
    async with admin(url) as connection:
        return [tuple(row) for row in await connection.fetch(_CATALOG)]


class Copy:
    """A copy of the program with a history of its own, run in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SOURCE, folder / "src" / "ovasabi", ignore=ignored)
        shutil.copytree(migrations.folder(), folder / "migrations", ignore=ignored)

    @property
    def versions(self) -> Path:
        """Where its migrations are."""
        return self.folder / "migrations" / "versions"

    def add(self, body: str) -> None:
        """Adds a migration on top, or writes it anew."""
        head = f'"""A step."""\nfrom alembic import op\nrevision = "9999"\ndown_revision = "{migrations.head()}"\n'
        lines = "".join(f"    op.execute({statement!r})\n" for statement in body.split(";") if statement.strip())
        (self.versions / "9999_step.py").write_text(f"{head}\n\ndef upgrade() -> None:\n{lines}")

    async def run(self, url: str, code: str = "await m.upgrade(url)") -> tuple[bool, str]:
        """Runs a call of its migrations; answers whether it succeeded, and what it said."""
        program = (
            "import asyncio, sys\nfrom ovasabi.services import discover\n"
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


async def test_history_gives_exactly_the_declared_schema(database_url: str) -> None:
    assert await migrations.differences(database_url) == []


async def test_every_declared_constraint_and_index_is_in_the_database(database_url: str) -> None:
    found = await catalog(database_url)
    there = {(row[1], row[2]) for row in found if row[0] in ("constraint", "index")}
    for of in declared.values():
        table = metadata_of().tables[of.table_name]
        wanted = {(table.name, str(item.name)) for item in (*table.constraints, *table.indexes)}
        assert len(wanted) > 3
        assert wanted <= there, f"{table.name}: {wanted - there}"


async def test_every_generated_column_is_generated_as_declared(database_url: str) -> None:
    query = """SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
               WHERE adrelid = $1::regclass AND attname = $2"""
    checked = 0
    async with admin(database_url) as connection:
        for of in declared.values():
            for column in metadata_of().tables[of.table_name].columns:
                if column.computed is None:
                    continue
                wanted = f"{column.name} {column.type.compile(postgresql.dialect())}"
                await connection.execute(f"CREATE TEMP TABLE fresh (LIKE {of.table_name})")
                await connection.execute(f"ALTER TABLE fresh DROP COLUMN {column.name}")
                await connection.execute(
                    f"ALTER TABLE fresh ADD COLUMN {wanted} GENERATED ALWAYS AS ({column.computed.sqltext}) STORED"
                )
                there = await connection.fetchval(query, of.table_name, column.name)
                assert there == await connection.fetchval(query, "fresh", column.name), (of.name, column.name)
                await connection.execute("DROP TABLE fresh")
                checked += 1
    assert checked >= 5


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE service_content_main DROP COLUMN media_urls",
        "ALTER TABLE service_content_main ADD COLUMN extra text",
        "ALTER TABLE service_content_main ALTER COLUMN slug TYPE varchar(121)",
        "ALTER TABLE service_content_main ALTER COLUMN body DROP NOT NULL",
        "ALTER TABLE service_content_main ALTER COLUMN body SET DEFAULT 'x'",
        "DROP INDEX service_content_main_state_idx",
        "ALTER TABLE service_content_main DROP CONSTRAINT service_content_main_author_id_fkey",
    ],
)
async def test_a_schema_that_drifted_is_noticed(empty_url: str, change: str) -> None:
    await migrations.upgrade(empty_url)
    async with admin(empty_url) as connection:
        await connection.execute(change)
    assert await migrations.differences(empty_url) != []


async def test_to_upgrade_again_changes_nothing_and_says_nothing(empty_url: str) -> None:
    said: list[str] = []
    await migrations.upgrade(empty_url, said.append)
    assert len(said) == 1
    done = await catalog(empty_url)
    assert len(done) > 500
    await migrations.upgrade(empty_url, said.append)
    assert len(said) == 1
    assert await catalog(empty_url) == done
    assert await migrations.current_revision(empty_url) == migrations.head()
    assert await migrations.plan(empty_url) == ""


async def test_a_plan_on_an_empty_database_is_sql_that_gives_the_same_schema_and_touches_nothing(
    empty_url: str, database_url: str
) -> None:
    before = await catalog(empty_url)
    text = await migrations.plan(empty_url)
    assert "CREATE TABLE master (" in text
    assert await catalog(empty_url) == before
    assert await migrations.current_revision(empty_url) is None
    await ensure_roles(empty_url)
    async with admin(empty_url) as connection:
        await connection.execute(text)
    planned = await catalog(empty_url)
    assert await migrations.current_revision(empty_url) == migrations.head()
    await _recreate(empty_url)
    await migrations.upgrade(empty_url)
    assert planned == await catalog(empty_url)


async def _recreate(url: str) -> None:
    async with admin(url) as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner")
        await connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")


async def test_a_migration_that_fails_half_way_leaves_nothing_behind(empty_url: str, copy: Copy) -> None:
    await migrations.upgrade(empty_url)
    done = await catalog(empty_url)
    copy.add("CREATE TABLE half (id int); ALTER TABLE master ADD COLUMN half int; SELECT 1 / 0")
    succeeded, said = await copy.run(empty_url)
    assert not succeeded
    assert said == "migration_failed: The migration stopped: division by zero."
    assert await catalog(empty_url) == done
    assert await migrations.current_revision(empty_url) == migrations.head()
    copy.add("CREATE TABLE half (id int)")
    assert await copy.run(empty_url) == (True, "")
    assert await migrations.current_revision(empty_url) == "9999"


async def test_steps_before_the_failing_one_are_kept_and_only_those(empty_url: str, copy: Copy) -> None:
    copy.add("CREATE TABLE half (id int); SELECT 1 / 0")
    succeeded, _ = await copy.run(empty_url)
    assert not succeeded
    assert await migrations.current_revision(empty_url) == migrations.head()
    assert await migrations.differences(empty_url) == []
    assert "half" not in {row[1] for row in await catalog(empty_url)}


async def test_two_upgrades_of_one_empty_database_at_once_both_succeed(empty_url: str, copy: Copy) -> None:
    answers = await asyncio.gather(*(copy.run(empty_url) for _ in range(3)))
    assert answers == [(True, "")] * 3
    assert await migrations.differences(empty_url) == []


async def test_a_blocked_migration_fails_with_one_clear_error_instead_of_hanging(empty_url: str, copy: Copy) -> None:
    await migrations.upgrade(empty_url)
    done = await catalog(empty_url)
    text = (copy.folder / "src/ovasabi/lifecycle/migrations.py").read_text()
    assert text.count('LOCK_TIMEOUT = "5s"') == 1
    (copy.folder / "src/ovasabi/lifecycle/migrations.py").write_text(text.replace('"5s"', '"300ms"'))
    copy.add("ALTER TABLE master ADD COLUMN half int")
    async with admin(empty_url) as connection:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM master")
            succeeded, said = await copy.run(empty_url)
        assert not succeeded
        assert said == "migration_failed: The migration stopped: canceling statement due to lock timeout."
        assert await catalog(empty_url) == done
        assert await copy.run(empty_url) == (True, "")


async def test_the_migration_of_a_new_entity_is_written_from_its_declaration(empty_url: str, copy: Copy) -> None:
    service = copy.folder / "src/ovasabi/services/probe"
    service.mkdir()
    (service / "__init__.py").write_text('"""A probe."""\n')
    (service / "service.py").write_text('"""None."""\n')
    (service / "entity.py").write_text(
        '"""A probe."""\nfrom typing import Annotated\nfrom msgspec import Meta\n'
        "from ovasabi.kernel.entity import Entity, entity\nfrom ovasabi.kernel.fields import Filter, Search\n\n\n"
        '@entity(plural="probes", title="name")\nclass Probe(Entity):\n    """A probe."""\n\n'
        '    name: Annotated[str, Meta(max_length=40), Search("A")]\n'
        "    weight: Annotated[int, Meta(ge=0), Filter()] = 0\n"
    )
    before = set(copy.versions.iterdir())
    assert (await copy.run(empty_url, "await m.upgrade(url); print(await m.new(url, 'the probe'))"))[0]
    (written,) = set(copy.versions.glob("*.py")) - before
    text = written.read_text()
    assert "register_entity('probe', 'probe', 'service_probe_main', 'campaign', true)" in text
    assert "drop" not in text.lower()
    again = "await m.upgrade(url); print(await m.differences(url), await m.new(url, 'x'))"
    succeeded, said = await copy.run(empty_url, again)
    assert succeeded
    assert said.splitlines()[-1] == "[] None"
    async with admin(empty_url) as connection:
        forced = "SELECT relforcerowsecurity FROM pg_class WHERE oid = 'service_probe_main'::regclass"
        assert await connection.fetchval(forced)
        assert await connection.fetchval("SELECT to_regclass('service_probe_main_pool') IS NOT NULL")


async def test_a_login_that_may_not_make_roles_is_told_what_to_do(empty_url: str) -> None:
    async with admin(empty_url) as connection:
        await connection.execute("DROP ROLE IF EXISTS plain_login")
        await connection.execute("CREATE ROLE plain_login LOGIN")
    try:
        plain = empty_url.replace("postgres@", "plain_login@")
        with pytest.raises((ovasabi.errors.OvasabiError, asyncpg.PostgresError)) as caught:
            await migrations.upgrade(plain)
        assert getattr(caught.value, "code", "") == "start_failed", caught.value
    finally:
        async with admin(empty_url) as connection:
            await connection.execute("DROP ROLE plain_login")
