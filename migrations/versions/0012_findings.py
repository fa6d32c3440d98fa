"""Keep what ledgers show and our books do not explain, and how far back a ledger was looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KINDS = (
    "second_receipt",
    "double_payout",
    "unmatched_receipt",
    "foreign_send",
    "refund",
    "unreadable_entry",
    "missing_send",
)
SOURCE = "source IN ('blink', 'phoenixd')"
OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    op.create_table(
        "findings",
        sa.Column("id", number, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("payment_hash", sa.String(length=64), nullable=True),
        sa.Column("transaction_id", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(f"kind IN ({kinds})", name=op.f("ck_findings_kind")),
        sa.CheckConstraint(SOURCE, name=op.f("ck_findings_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
        sa.UniqueConstraint(
            "kind", "source", "transaction_id", name=op.f("uq_findings_kind_source_transaction_id")
        ),
    )
    op.create_index(
        "ix_findings_open",
        "findings",
        ["id", "kind"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_table(
        "histories",
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("wallet_id", sa.String(length=36), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.CheckConstraint(SOURCE, name=op.f("ck_histories_source")),
        sa.PrimaryKeyConstraint("source", "wallet_id", name=op.f("pk_histories")),
    )


def downgrade() -> None:
    op.drop_table("histories")
    op.drop_table("findings")
