"""Campaigns that the directory has and their server lacks: the SQL beside this file."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "20261129194500_105d"
down_revision = "20261129193600_e9d5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
