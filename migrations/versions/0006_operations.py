"""Operations: their table, generated from the declaration, and what is kept of unfinished work."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from ovasabi.lifecycle.migrations import run_files

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "service_operation_main",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("master_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=100), nullable=False, comment="The method, such as contents_export."),
        sa.Column("request_digest", sa.String(length=64), nullable=False, comment="SHA-256 of what was asked."),
        sa.Column("state", sa.String(length=32), server_default=sa.text("'queued'"), nullable=False),
        sa.Column(
            "done",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="What is done, in the method's own unit; no event tells.",
        ),
        sa.Column("total", sa.BigInteger(), nullable=True, comment="Of how much, where that is known."),
        sa.Column(
            "result",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What came of it; of a cancelled one, what had been done.",
        ),
        sa.Column("error", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="Why it failed."),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("done >= 0", name=op.f("service_operation_main_done_check")),
        sa.CheckConstraint(
            "octet_length(metadata::text) <= 131072", name=op.f("service_operation_main_metadata_check")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "master_id"], ["master.campaign_id", "master.id"], name="service_operation_main_master_fkey"
        ),
        sa.PrimaryKeyConstraint("campaign_id", "created_at", "master_id", name="service_operation_main_pkey"),
        comment="Long-running work: how far it is, and what came of it. Who asked for it is in its first event.",
        postgresql_partition_by="LIST (campaign_id)",
    )
    op.execute("CALL register_entity('operation', 'operation', 'service_operation_main', 'campaign', false)")
    op.create_index(
        "service_operation_main_kind_idx", "service_operation_main", ["campaign_id", "kind", "master_id"], unique=False
    )
    op.create_index(
        "service_operation_main_state_idx",
        "service_operation_main",
        ["campaign_id", "state", "master_id"],
        unique=False,
    )
    run_files(op, revision)
