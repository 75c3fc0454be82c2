"""The registry, the event log, locks, keys, search and partitions: the SQL beside this file, object by object."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
