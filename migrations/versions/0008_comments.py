"""Comments of tables and columns in plainer English: the SQL beside this file."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
