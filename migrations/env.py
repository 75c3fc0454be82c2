"""Where Alembic meets the declarations: partitions are left out, and each migration is one transaction."""

from alembic import context

from ovasabi.lifecycle.migrations import run_environment

run_environment(context)
