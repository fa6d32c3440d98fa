"""Totals of what has ended, and an index of the forwards that have not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UNSETTLED = sa.text("state NOT IN ('forwarded', 'resolved')")


def upgrade() -> None:
    op.create_table(
        "totals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("total", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sats", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_totals")),
    )
    op.create_index(
        "ix_forwards_unsettled",
        "forwards",
        ["state"],
        unique=False,
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    )
    # What has ended before there were totals.
    op.execute(
        "INSERT INTO totals (total, number, sats)"
        " SELECT 'received', count(*), sum(received) FROM payments"
        " WHERE invoice_id IS NOT NULL HAVING count(*) > 0"
    )
    op.execute(
        "INSERT INTO totals (total, number, sats)"
        " SELECT state, count(*), sum(amount) FROM invoices"
        " WHERE state <> 'pending' GROUP BY state"
    )
    op.execute(
        "INSERT INTO totals (total, number, sats)"
        " SELECT state, count(*), sum(amount) FROM forwards"
        " WHERE state IN ('forwarded', 'resolved') GROUP BY state"
    )


def downgrade() -> None:
    op.drop_index(
        "ix_forwards_unsettled",
        "forwards",
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    )
    op.drop_table("totals")
