"""Search that is fast for very common words too: the SQL beside this file."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
