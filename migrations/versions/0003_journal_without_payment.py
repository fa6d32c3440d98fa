"""Let the journal keep also what belongs to no payment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.alter_column("payment_hash", existing_type=sa.String(length=64), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM journal WHERE payment_hash IS NULL")
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.alter_column("payment_hash", existing_type=sa.String(length=64), nullable=False)
