"""Remember of which wallet of a source the ledger was read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reconciliation", sa.Column("wallet_id", sa.String(length=36), nullable=True))


def downgrade() -> None:
    op.drop_column("reconciliation", "wallet_id")
