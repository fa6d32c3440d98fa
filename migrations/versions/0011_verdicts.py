"""Keep what was said of a payout invoice for good, and on which wallet it was made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("payout_to", sa.String(length=36)),
    ("verdict", sa.String(length=16)),
    ("absent_at", sa.DateTime(timezone=True)),
    ("replayed_attempt", sa.Integer()),
)


def upgrade() -> None:
    for name, kind in _COLUMNS:
        op.add_column("forwards", sa.Column(name, kind, nullable=True))
    # Until now a refusal was kept only of payout invoices that were to be given up.
    op.execute("UPDATE forwards SET verdict = 'refused' WHERE refusal IS NOT NULL")


def downgrade() -> None:
    for name, _ in reversed(_COLUMNS):
        op.drop_column("forwards", name)
