"""The tables of campaign, user, content, product and quotes; generated from the declarations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "service_campaign_main",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("master_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False, comment="Its name in addresses; unique, for good."),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=10000), server_default=sa.text("''"), nullable=False),
        sa.Column("kind", sa.String(length=32), server_default=sa.text("'evergreen'"), nullable=False),
        sa.Column("state", sa.String(length=32), server_default=sa.text("'active'"), nullable=False),
        sa.Column(
            "dedicated",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether it has partitions of its own.",
        ),
        sa.Column("owner_id", sa.BigInteger(), nullable=True, comment="The user who answers for it."),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "search_vector",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('simple', left(coalesce(title, ''), 200000)), 'A') || setweight(to_tsvector('simple', left(coalesce(description, ''), 200000)), 'B')",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint("octet_length(metadata::text) <= 131072", name=op.f("service_campaign_main_metadata_check")),
        sa.ForeignKeyConstraint(
            ["campaign_id", "master_id"], ["master.campaign_id", "master.id"], name="service_campaign_main_master_fkey"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["master.id"], name="service_campaign_main_owner_id_fkey"),
        sa.PrimaryKeyConstraint("master_id", name="service_campaign_main_pkey"),
        comment="A tenant: everything else belongs to one, or to the platform.",
    )
    op.execute("CALL register_entity('campaign', 'campaign', 'service_campaign_main', 'root', true)")
    op.create_index("service_campaign_main_campaign_id_key", "service_campaign_main", ["campaign_id"], unique=True)
    op.create_index(
        "service_campaign_main_created_at_idx", "service_campaign_main", ["created_at", "master_id"], unique=False
    )
    op.create_index(
        "service_campaign_main_kind_idx", "service_campaign_main", ["campaign_id", "kind", "master_id"], unique=False
    )
    op.create_index(
        "service_campaign_main_owner_id_idx",
        "service_campaign_main",
        ["campaign_id", "owner_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_campaign_main_search_vector_idx",
        "service_campaign_main",
        ["search_vector"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "service_campaign_main_slug_key",
        "service_campaign_main",
        ["slug"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "service_campaign_main_state_idx", "service_campaign_main", ["campaign_id", "state", "master_id"], unique=False
    )
    op.create_table(
        "service_content_comment",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("master_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content_id", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.String(length=10000), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("reply_to_id", sa.BigInteger(), nullable=True, comment="The comment that it answers."),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "search_vector",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('simple', left(coalesce(body, ''), 200000)), 'B') || array_to_tsvector(ARRAY[' ' || campaign_id::text])",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint(
            "octet_length(metadata::text) <= 131072", name=op.f("service_content_comment_metadata_check")
        ),
        sa.ForeignKeyConstraint(["author_id"], ["master.id"], name="service_content_comment_author_id_fkey"),
        sa.ForeignKeyConstraint(
            ["campaign_id", "content_id"],
            ["master.campaign_id", "master.id"],
            name="service_content_comment_content_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "master_id"],
            ["master.campaign_id", "master.id"],
            name="service_content_comment_master_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "reply_to_id"],
            ["master.campaign_id", "master.id"],
            name="service_content_comment_reply_to_id_fkey",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "created_at", "master_id", name="service_content_comment_pkey"),
        comment="What somebody says about a piece of content.",
        postgresql_partition_by="LIST (campaign_id)",
    )
    op.execute("CALL register_entity('comment', 'content', 'service_content_comment', 'campaign', true)")
    op.create_index(
        "service_content_comment_author_id_idx",
        "service_content_comment",
        ["campaign_id", "author_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_content_comment_content_id_idx",
        "service_content_comment",
        ["campaign_id", "content_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_content_comment_reply_to_id_idx",
        "service_content_comment",
        ["campaign_id", "reply_to_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_content_comment_search_vector_idx",
        "service_content_comment",
        ["search_vector"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_table(
        "service_content_main",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("master_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("body", sa.String(length=1000000), server_default=sa.text("''"), nullable=False),
        sa.Column("slug", sa.String(length=120), nullable=True, comment="Its name in addresses; unique here."),
        sa.Column("kind", sa.String(length=32), server_default=sa.text("'article'"), nullable=False),
        sa.Column("visibility", sa.String(length=32), server_default=sa.text("'public'"), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("media_urls", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=True, comment="The user who wrote it."),
        sa.Column("parent_id", sa.BigInteger(), nullable=True, comment="The content that it belongs to."),
        sa.Column("state", sa.String(length=32), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("comment_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reaction_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "section",
            sa.Text(),
            sa.Computed("(metadata #>> '{service_specific,content,section}')", persisted=True),
            nullable=True,
        ),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "search_vector",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('simple', left(coalesce(title, ''), 200000)), 'A') || setweight(to_tsvector('simple', left(coalesce(body, ''), 200000)), 'C') || setweight(to_tsvector('simple', left(coalesce(words_of(tags), ''), 200000)), 'B') || array_to_tsvector(ARRAY[' ' || campaign_id::text])",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint("comment_count >= 0", name=op.f("service_content_main_comment_count_check")),
        sa.CheckConstraint("octet_length(metadata::text) <= 131072", name=op.f("service_content_main_metadata_check")),
        sa.CheckConstraint("reaction_count >= 0", name=op.f("service_content_main_reaction_count_check")),
        sa.ForeignKeyConstraint(["author_id"], ["master.id"], name="service_content_main_author_id_fkey"),
        sa.ForeignKeyConstraint(
            ["campaign_id", "master_id"], ["master.campaign_id", "master.id"], name="service_content_main_master_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "parent_id"],
            ["master.campaign_id", "master.id"],
            name="service_content_main_parent_id_fkey",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "created_at", "master_id", name="service_content_main_pkey"),
        comment="A piece of content: an article, micro post, video or story.",
        postgresql_partition_by="LIST (campaign_id)",
    )
    op.execute("CALL register_entity('content', 'content', 'service_content_main', 'campaign', true)")
    op.create_index(
        "service_content_main_author_id_idx",
        "service_content_main",
        ["campaign_id", "author_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_content_main_kind_idx", "service_content_main", ["campaign_id", "kind", "master_id"], unique=False
    )
    op.create_index(
        "service_content_main_parent_id_idx",
        "service_content_main",
        ["campaign_id", "parent_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_content_main_published_at_idx",
        "service_content_main",
        ["campaign_id", "published_at", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_content_main_search_vector_idx",
        "service_content_main",
        ["search_vector"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "service_content_main_section_idx",
        "service_content_main",
        ["campaign_id", "section", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_content_main_slug_idx", "service_content_main", ["campaign_id", "slug", "master_id"], unique=False
    )
    op.create_index(
        "service_content_main_state_idx", "service_content_main", ["campaign_id", "state", "master_id"], unique=False
    )
    op.create_index(
        "service_content_main_visibility_idx",
        "service_content_main",
        ["campaign_id", "visibility", "master_id"],
        unique=False,
    )
    op.create_table(
        "service_content_reaction",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("master_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "octet_length(metadata::text) <= 131072", name=op.f("service_content_reaction_metadata_check")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "content_id"],
            ["master.campaign_id", "master.id"],
            name="service_content_reaction_content_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "master_id"],
            ["master.campaign_id", "master.id"],
            name="service_content_reaction_master_fkey",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["master.id"], name="service_content_reaction_user_id_fkey"),
        sa.PrimaryKeyConstraint("campaign_id", "created_at", "master_id", name="service_content_reaction_pkey"),
        comment="A user's reaction to a piece of content; each kind once.",
        postgresql_partition_by="LIST (campaign_id)",
    )
    op.execute("CALL register_entity('reaction', 'content', 'service_content_reaction', 'campaign', false)")
    op.create_index(
        "service_content_reaction_content_id_idx",
        "service_content_reaction",
        ["campaign_id", "content_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_content_reaction_kind_idx",
        "service_content_reaction",
        ["campaign_id", "kind", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_content_reaction_user_id_idx",
        "service_content_reaction",
        ["campaign_id", "user_id", "master_id"],
        unique=False,
    )
    op.create_table(
        "service_product_main",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("master_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=100000), server_default=sa.text("''"), nullable=False),
        sa.Column("kind", sa.String(length=32), server_default=sa.text("'physical'"), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("main_image_url", sa.String(length=2000), server_default=sa.text("''"), nullable=False),
        sa.Column("gallery_image_urls", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.String(length=32), server_default=sa.text("'active'"), nullable=False),
        sa.Column("variant_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "default_variant_id",
            sa.BigInteger(),
            nullable=True,
            comment="The variant shown first; set by its :make_default.",
        ),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "search_vector",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('simple', left(coalesce(name, ''), 200000)), 'A') || setweight(to_tsvector('simple', left(coalesce(description, ''), 200000)), 'C') || setweight(to_tsvector('simple', left(coalesce(words_of(tags), ''), 200000)), 'B') || array_to_tsvector(ARRAY[' ' || campaign_id::text])",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint("octet_length(metadata::text) <= 131072", name=op.f("service_product_main_metadata_check")),
        sa.CheckConstraint("variant_count >= 0", name=op.f("service_product_main_variant_count_check")),
        sa.ForeignKeyConstraint(
            ["campaign_id", "default_variant_id"],
            ["master.campaign_id", "master.id"],
            name="service_product_main_default_variant_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "master_id"], ["master.campaign_id", "master.id"], name="service_product_main_master_fkey"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["master.id"], name="service_product_main_owner_id_fkey"),
        sa.PrimaryKeyConstraint("campaign_id", "created_at", "master_id", name="service_product_main_pkey"),
        comment="Something that a campaign offers.",
        postgresql_partition_by="LIST (campaign_id)",
    )
    op.execute("CALL register_entity('product', 'product', 'service_product_main', 'campaign', true)")
    op.create_index(
        "service_product_main_default_variant_id_idx",
        "service_product_main",
        ["campaign_id", "default_variant_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_product_main_kind_idx", "service_product_main", ["campaign_id", "kind", "master_id"], unique=False
    )
    op.create_index(
        "service_product_main_owner_id_idx",
        "service_product_main",
        ["campaign_id", "owner_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_product_main_search_vector_idx",
        "service_product_main",
        ["search_vector"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "service_product_main_state_idx", "service_product_main", ["campaign_id", "state", "master_id"], unique=False
    )
    op.create_table(
        "service_product_variant",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("master_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False, comment="Stock-keeping unit; unique in the campaign."),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("price", sa.Numeric(precision=18, scale=4), nullable=False, comment="In units of the currency."),
        sa.Column("currency", sa.String(length=3), nullable=False, comment="ISO 4217."),
        sa.Column("compare_at_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column(
            "attributes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "stock",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="What is there to be sold; changed by :restock, :reserve, :release.",
        ),
        sa.Column(
            "reserved",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="What is promised and not yet taken.",
        ),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "search_vector",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('simple', left(coalesce(name, ''), 200000)), 'A') || array_to_tsvector(ARRAY[' ' || campaign_id::text])",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint("compare_at_price >= 0", name=op.f("service_product_variant_compare_at_price_check")),
        sa.CheckConstraint(
            "octet_length(metadata::text) <= 131072", name=op.f("service_product_variant_metadata_check")
        ),
        sa.CheckConstraint("price >= 0", name=op.f("service_product_variant_price_check")),
        sa.CheckConstraint("reserved >= 0", name=op.f("service_product_variant_reserved_check")),
        sa.CheckConstraint("stock >= 0", name=op.f("service_product_variant_stock_check")),
        sa.ForeignKeyConstraint(
            ["campaign_id", "master_id"],
            ["master.campaign_id", "master.id"],
            name="service_product_variant_master_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "product_id"],
            ["master.campaign_id", "master.id"],
            name="service_product_variant_product_id_fkey",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "created_at", "master_id", name="service_product_variant_pkey"),
        comment="A product as it is sold: with a stock-keeping unit, a price, and stock.",
        postgresql_partition_by="LIST (campaign_id)",
    )
    op.execute("CALL register_entity('variant', 'product', 'service_product_variant', 'campaign', true)")
    op.create_index(
        "service_product_variant_price_idx",
        "service_product_variant",
        ["campaign_id", "price", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_product_variant_product_id_idx",
        "service_product_variant",
        ["campaign_id", "product_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_product_variant_search_vector_idx",
        "service_product_variant",
        ["search_vector"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "service_product_variant_sku_idx", "service_product_variant", ["campaign_id", "sku", "master_id"], unique=False
    )
    op.create_table(
        "service_quotes_main",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("master_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("description", sa.String(length=2000), nullable=False),
        sa.Column("amount", sa.Numeric(precision=20, scale=8), nullable=False, comment="In units of the currency."),
        sa.Column("currency", sa.String(length=3), nullable=False, comment="ISO 4217."),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True, comment="Whom it is for."),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=32), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=1000), server_default=sa.text("''"), nullable=False),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "search_vector",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('simple', left(coalesce(description, ''), 200000)), 'A') || array_to_tsvector(ARRAY[' ' || campaign_id::text])",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint("amount > 0", name=op.f("service_quotes_main_amount_check")),
        sa.CheckConstraint("octet_length(metadata::text) <= 131072", name=op.f("service_quotes_main_metadata_check")),
        sa.ForeignKeyConstraint(
            ["campaign_id", "master_id"], ["master.campaign_id", "master.id"], name="service_quotes_main_master_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "product_id"],
            ["master.campaign_id", "master.id"],
            name="service_quotes_main_product_id_fkey",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["master.id"], name="service_quotes_main_user_id_fkey"),
        sa.PrimaryKeyConstraint("campaign_id", "created_at", "master_id", name="service_quotes_main_pkey"),
        comment="A price offered to somebody until a moment.",
        postgresql_partition_by="LIST (campaign_id)",
    )
    op.execute("CALL register_entity('quote', 'quotes', 'service_quotes_main', 'campaign', true)")
    op.create_index(
        "service_quotes_main_product_id_idx",
        "service_quotes_main",
        ["campaign_id", "product_id", "master_id"],
        unique=False,
    )
    op.create_index(
        "service_quotes_main_search_vector_idx",
        "service_quotes_main",
        ["search_vector"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "service_quotes_main_state_idx", "service_quotes_main", ["campaign_id", "state", "master_id"], unique=False
    )
    op.create_index(
        "service_quotes_main_user_id_idx", "service_quotes_main", ["campaign_id", "user_id", "master_id"], unique=False
    )
    op.create_index(
        "service_quotes_main_valid_until_idx",
        "service_quotes_main",
        ["campaign_id", "valid_until", "master_id"],
        unique=False,
    )
    op.create_table(
        "service_user_master",
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("master_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "username",
            sa.String(length=30),
            nullable=False,
            comment="Letters, digits, dot, underscore; in any case unique.",
        ),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column(
            "password_hash",
            sa.String(length=255),
            nullable=True,
            comment="Upper and lower case, a digit and a sign; never shown.",
        ),
        sa.Column("first_name", sa.String(length=100), server_default=sa.text("''"), nullable=False),
        sa.Column("last_name", sa.String(length=100), server_default=sa.text("''"), nullable=False),
        sa.Column("bio", sa.String(length=2000), server_default=sa.text("''"), nullable=False),
        sa.Column("language", sa.String(length=35), server_default=sa.text("'en'"), nullable=False, comment="BCP 47."),
        sa.Column(
            "timezone", sa.String(length=64), server_default=sa.text("'UTC'"), nullable=False, comment="IANA name."
        ),
        sa.Column("state", sa.String(length=32), server_default=sa.text("'active'"), nullable=False),
        sa.Column(
            "state_reason",
            sa.String(length=1000),
            server_default=sa.text("''"),
            nullable=False,
            comment="Why the user is suspended.",
        ),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "search_vector",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('simple', left(coalesce(username, ''), 200000)), 'A') || setweight(to_tsvector('simple', left(coalesce(bio, ''), 200000)), 'C')",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint("octet_length(metadata::text) <= 131072", name=op.f("service_user_master_metadata_check")),
        sa.ForeignKeyConstraint(["master_id"], ["master.id"], name="service_user_master_master_fkey"),
        sa.PrimaryKeyConstraint("master_id", name="service_user_master_pkey"),
        comment="A person with an account.",
    )
    op.execute("CALL register_entity('user', 'user', 'service_user_master', 'global', true)")
    op.create_index(
        "service_user_master_created_at_idx", "service_user_master", ["created_at", "master_id"], unique=False
    )
    op.create_index("service_user_master_email_idx", "service_user_master", ["email", "master_id"], unique=False)
    op.create_index(
        "service_user_master_search_vector_idx",
        "service_user_master",
        ["search_vector"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index("service_user_master_state_idx", "service_user_master", ["state", "master_id"], unique=False)
    op.create_index("service_user_master_username_idx", "service_user_master", ["username", "master_id"], unique=False)
