"""The clock of ids: a sequence that does not run backwards and keeps the server's number: the SQL beside this file."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "20261129152600_c10c"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
