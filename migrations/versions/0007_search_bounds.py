"""Tighter bounds of what a search reads, and corrections of those words only that may be wrong: the SQL beside this file."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
