"""Idempotency keys have a caller, and leases their length: the SQL beside this file."""

from alembic import op

from ovasabi.lifecycle.migrations import run_files

revision = "20261129154800_c10d"
down_revision = "20261129152600_c10c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_files(op, revision)
