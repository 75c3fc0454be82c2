"""The last positions of the epochs of the event log: the SQL beside this file."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "20261129193600_e9d5"
down_revision = "20261129161000_6c1e"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
