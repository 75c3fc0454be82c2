"""A generated migration imports what it uses, as the linter requires."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "upgrades",
    [
        "",
        'op.execute("SELECT 1")',
        'op.add_column("service_content_master", sa.Column("subtitle", sa.Text()))',
        'op.add_column("service_content_master", sa.Column("more", postgresql.JSONB()))',
        'op.create_index("i", "t", ["a"], postgresql_using="gin")',
    ],
)
def test_a_generated_migration_passes_the_linter(tmp_path: Path, upgrades: str) -> None:
    script = ScriptDirectory(str(tmp_path), messaging_opts={"quiet": True})
    (tmp_path / "script.py.mako").write_bytes((ROOT / "migrations/script.py.mako").read_bytes())
    (tmp_path / "versions").mkdir()
    written = script.generate_revision("20260101abcd", "some change", upgrades=upgrades, head="base")
    assert written is not None
    lint = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), written.path]
    found = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
