"""Search whose statements are planned once a session: the SQL beside this file."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
