"""The directory of campaigns, apart from the campaigns themselves: the SQL beside this file."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "20261129160000_d1c7"
down_revision = "20261129151500_c0de"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
