"""Keys begin with the campaign: those of the registry and the event log, and all references to the registry."""

from alembic import op

from ovasabi.lifecycle.migrations import LOCK_TIMEOUT, run_files

revision = "20261129151500_c0de"
down_revision = "20261129154800_c10d"
branch_labels = None
depends_on = None

MONTHS = """
SELECT c.oid::regclass::text AS name, quote_ident(c.relname || '_by_entity') AS index
FROM pg_partition_tree('service_event') AS t JOIN pg_class AS c ON c.oid = t.relid
WHERE t.isleaf AND EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = 'service_event'::regclass AND contype = 'p'
                           AND cardinality(conkey) = 3)"""


def upgrade() -> None:
    # Step by step, each committed, so that no lock is held for long. If it is interrupted, the next run continues.
    context = op.get_context()
    with context.autocommit_block():
        op.execute("SET lock_timeout = 0")  # an index that is built concurrently waits, but nothing waits for it
        for month in [] if context.as_sql else op.get_bind().exec_driver_sql(MONTHS).all():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {month.index}")
            columns = "campaign_id, master_id, id, stream, occurred_at"
            op.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {month.index} ON {month.name} ({columns})")
        run_files(op, revision)
        op.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
