"""Keep what was said of payout invoices for good, where they were made, and who has moved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("merchants", "moved_at", sa.DateTime(timezone=True)),
    ("merchants", "environment", sa.String(length=64)),
    ("forwards", "payout_to", sa.String(length=36)),
    ("forwards", "verdict", sa.String(length=16)),
    ("forwards", "absent_at", sa.DateTime(timezone=True)),
    ("forwards", "replayed_attempt", sa.Integer()),
)


def upgrade() -> None:
    for table, name, kind in _COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True))
    # Until now a refusal was kept only of payout invoices that were to be given up.
    op.execute("UPDATE forwards SET verdict = 'refused' WHERE refusal IS NOT NULL")


def downgrade() -> None:
    for table, name, _ in reversed(_COLUMNS):
        op.drop_column(table, name)
