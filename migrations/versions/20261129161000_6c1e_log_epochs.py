"""The epochs of the event log: the SQL beside this file."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "20261129161000_6c1e"
down_revision = "20261129160000_d1c7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
