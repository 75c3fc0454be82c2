"""Policies that check the campaign without choosing the index."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
