"""Find, list and sum up sales without reading all of them, and tell every page something."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ON_LISTS = (
    ("invoices", "external_id"),
    ("invoices", "amount", "created_at", "payment_hash"),
    ("invoices", "state", "created_at", "payment_hash"),
    ("invoices", "merchant_id", "state", "created_at", "payment_hash"),
    ("payments", "seen_at", "payment_hash"),
    ("payments", "received", "seen_at", "payment_hash"),
    ("forwards", "state", "created_at", "payment_hash"),
    ("forwards", "merchant_id", "created_at", "payment_hash"),
)
UNMATCHED = sa.text("invoice_id IS NULL")
ENDED = sa.text("ended_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("forwards", sa.Column("ended_at", sa.DateTime(timezone=True)))
    op.execute(
        "UPDATE forwards SET created_at = (SELECT seen_at FROM payments"
        " WHERE payments.payment_hash = forwards.payment_hash)"
    )
    # So far a payment has had one forward, and a forward one end.
    op.execute(
        "UPDATE forwards SET ended_at = (SELECT max(journal.at) FROM journal"
        " WHERE journal.payment_hash = forwards.payment_hash"
        " AND journal.step IN ('forwarded', 'resolved'))"
        " WHERE state IN ('forwarded', 'resolved')"
    )
    for table, *columns in ON_LISTS:
        op.create_index(_name(table, *columns), table, columns)
    op.create_index(
        "ix_payments_unmatched",
        "payments",
        ["seen_at", "payment_hash"],
        sqlite_where=UNMATCHED,
        postgresql_where=UNMATCHED,
    )
    op.create_index(
        "ix_forwards_ended",
        "forwards",
        ["ended_at"],
        sqlite_where=ENDED,
        postgresql_where=ENDED,
    )
    op.create_table(
        "broadcasts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
    )
    op.create_index("ix_broadcasts_at", "broadcasts", ["at"])


def downgrade() -> None:
    op.drop_table("broadcasts")
    op.drop_index("ix_forwards_ended", "forwards")
    op.drop_index("ix_payments_unmatched", "payments")
    for table, *columns in ON_LISTS:
        op.drop_index(_name(table, *columns), table)
    op.drop_column("forwards", "ended_at")


def _name(table: str, *columns: str) -> str:
    return op.f("_".join(("ix", table, *columns)))
