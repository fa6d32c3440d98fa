"""Remember on which wallet the money of an invoice arrives."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nobody knows it of the invoices that are there: what came for them is paid as it was before.
    op.add_column("invoices", sa.Column("wallet_id", sa.String(length=36), nullable=True))


def downgrade() -> None:
    op.drop_column("invoices", "wallet_id")
