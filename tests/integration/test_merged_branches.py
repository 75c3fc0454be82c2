"""Two branches that each add a service are merged with git, and databases of either are upgraded with their data."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import postgast
import pytest

import ovasabi
from ovasabi.database.roles import ensure_roles
from ovasabi.gateway.contract.protobuf import field_numbers
from ovasabi.lifecycle import migrations, sql_objects
from ovasabi.lifecycle.revisions import history

pytestmark = [
    pytest.mark.versions("18"),
    pytest.mark.timeout(1200),  # a dozen programs are run, each of which takes long on a machine that is busy
]
SOURCE = Path(ovasabi.__file__).parent
COMMAND = (sys.executable, "-c", "from ovasabi.cli import main; main()")
AUTHOR = {f"GIT_{who}_{what}": "test@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
TABLES = "SELECT name FROM entity_type WHERE service IN ('sample_card', 'sample_voucher', 'sample_raffle') ORDER BY 1"


class Project:
    """A checkout with branches, whose program runs in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SOURCE, folder / "src" / "ovasabi", ignore=ignored)
        shutil.copytree(migrations.folder(), folder / "migrations", ignore=ignored)
        shutil.copytree(sql_objects.folder(), folder / "sql")
        shutil.copytree(field_numbers.folder(), folder / "api")
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("The release")

    @property
    def versions(self) -> Path:
        """Where its migrations are."""
        return self.folder / "migrations" / "versions"

    def git(self, *arguments: str) -> None:
        """Runs git, which must succeed."""
        environment = {**os.environ, **AUTHOR}
        subprocess.run(["git", *arguments], cwd=self.folder, env=environment, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        """Commits everything on the current branch."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    async def run(self, *arguments: str, url: str = "", succeeds: bool = True) -> str:
        """Runs a command, which must succeed or fail as expected; returns its output."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")}
        compiled = self.folder.with_name(f"{self.folder.name}-compiled")
        settings = {"PYTHONPATH": str(self.folder / "src"), "PYTHONPYCACHEPREFIX": str(compiled)}
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *arguments, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=kept | settings | ({"OVASABI_DATABASE_URL": url} if url else {}),
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), 120)
        assert (process.returncode == 0) == succeeds, output.decode()
        return output.decode().strip()

    async def add_service(self, name: str) -> None:
        """Adds a service on a branch of its own, which begins at main."""
        self.git("switch", "--quiet", "--create", name, "main")
        await self.run("new", "service", name)
        self.commit(name)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkout."""
    return Project(tmp_path)


async def rows(url: str, query: str) -> list[str]:
    """The first column of what a query returns."""
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_branches_that_each_add_a_service_are_merged_and_upgraded_without_a_hand(
    empty_url: str, project: Project
) -> None:
    release = migrations.heads()
    for service in ("sample_card", "sample_voucher"):
        await project.add_service(service)
    await project.run("migrate", url=empty_url)
    (at,) = await migrations.current_revisions(empty_url)
    connection = await asyncpg.connect(empty_url)
    await connection.execute("CREATE TABLE kept AS SELECT 'of one branch' AS text")
    await connection.close()

    project.git("merge", "--quiet", "--no-edit", "sample_card")
    merged = history(project.versions)
    assert len(merged.heads) == 2
    assert {merged.revisions[head].follows for head in merged.heads} == {release}
    plan = await project.run("migrate", "--plan", url=empty_url)
    assert "CREATE TABLE service_sample_card_main" in plan
    assert "CREATE TABLE service_sample_voucher_main" not in plan

    assert f"The schema is at {' and '.join(merged.heads)}" in await project.run("migrate", url=empty_url)
    assert await migrations.current_revisions(empty_url) == merged.heads
    assert at in merged.heads
    assert await rows(empty_url, TABLES) == ["sample_card", "sample_voucher"]
    assert await rows(empty_url, "SELECT text FROM kept") == ["of one branch"]
    assert await project.run("migrate", "--plan", url=empty_url) == "nothing to do"
    assert await project.run("migrate", "--new", "nothing", url=empty_url) == "no difference"

    await project.run("new", "service", "sample_raffle")
    joined = history(project.versions)
    (last,) = joined.heads
    assert joined.revisions[last].follows == merged.heads
    for statement in postgast.split(await project.run("migrate", "--plan", url=empty_url)):
        await rows(empty_url, statement)
    assert await migrations.current_revisions(empty_url) == (last,)
    assert await rows(empty_url, TABLES) == ["sample_card", "sample_raffle", "sample_voucher"]
    assert await project.run("migrate", "--new", "nothing", url=empty_url) == "no difference"


async def test_a_migration_numbered_as_a_release_numbers_its_own_is_renumbered_and_its_database_follows(
    empty_url: str, project: Project
) -> None:
    await ensure_roles(empty_url)
    await migrations.upgrade_tables(empty_url, "0002")
    # What `new service` of 0.1.0 wrote, and did to the team's database.
    step = "CREATE TABLE sample_card AS SELECT 'ten euros' AS name"
    own = project.versions / "0003_sample_card.py"
    head = 'from alembic import op\nrevision = "0003"\ndown_revision = "0002"\n'
    own.write_text(f'"""Gift cards."""\n{head}\n\ndef upgrade() -> None:\n    op.execute({step!r})\n')
    await rows(empty_url, step)
    await rows(empty_url, "UPDATE alembic_version SET version_num = '0003'")

    refused = await project.run("migrate", url=empty_url, succeeds=False)
    command = refused.rpartition("ovasabi ")[2].split()
    assert refused == (
        "error: Two migrations have the id 0003: 0003_sample_card.py and 0003_search.py.\n"
        f"hint: Give your migration a new id: ovasabi migrate --renumber {project.versions}/<file>"
    )
    said = await project.run(*command[:-1], str(own))
    assert said.startswith(f"wrote {project.versions}/20")
    (update,) = [line.strip() for line in said.splitlines() if line.strip().startswith("UPDATE ")]
    await rows(empty_url, update)
    assert f"The schema is at {migrations.heads()[0]} and 20" in await project.run("migrate", url=empty_url)
    assert await project.run("migrate", "--plan", url=empty_url) == "nothing to do"
    assert await rows(empty_url, "SELECT name FROM sample_card") == ["ten euros"]
    assert await migrations.current_revisions(empty_url) == history(project.versions).heads
