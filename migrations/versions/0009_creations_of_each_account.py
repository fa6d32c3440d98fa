"""Remember of which account at Blink each invoice of the last minute was asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Those that are kept are all of BlinkPOS's own account, which has none.
    op.add_column("creations", sa.Column("wallet_id", sa.String(length=36), nullable=True))


def downgrade() -> None:
    op.drop_column("creations", "wallet_id")
