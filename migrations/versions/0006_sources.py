"""A second source of invoices, and what webhooks tell."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Spelled out, as both databases take it: SQLite adds no check to a table that is there already.
CHECK = "source IN ('blink', 'phoenixd')"
SOURCE = f"VARCHAR(16) DEFAULT 'blink' NOT NULL CONSTRAINT {{}} CHECK ({CHECK})"


def upgrade() -> None:
    # What was called the source of a payment is who told us of it.
    op.execute("ALTER TABLE payments RENAME COLUMN source TO witness")
    for table in ("invoices", "payments", "forwards"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN source {SOURCE.format(f'ck_{table}_source')}")
    _reconcile_by_source()
    op.create_table(
        "hints",
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("payment_hash", sa.String(length=64), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(CHECK, name=op.f("ck_hints_source")),
        sa.PrimaryKeyConstraint("source", "payment_hash", name=op.f("pk_hints")),
    )
    with op.batch_alter_table("hints", schema=None) as batch_op:
        batch_op.create_index(
            "ix_hints_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )


def downgrade() -> None:
    _refuse_to_forget_a_node()
    op.drop_table("hints")
    _reconcile_as_one()
    for table in ("invoices", "payments", "forwards"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN source")
    op.execute("ALTER TABLE payments RENAME COLUMN witness TO source")


def _refuse_to_forget_a_node() -> None:
    """What lies on a node would be paid from Blink by a service that knows of no node."""
    invoices = sa.table("invoices", sa.column("source"))
    query = sa.select(sa.func.count()).where(invoices.c.source != "blink")
    if op.get_bind().execute(query).scalar_one():
        raise RuntimeError("there are invoices of a phoenixd node: this cannot be taken back")


def _reconcile_by_source() -> None:
    """What was one row becomes Blink's."""
    check = sa.CheckConstraint(CHECK, name=op.f("ck_reconciliation_source"))
    _make_runs_anew(sa.Column("source", sa.String(length=16), nullable=False), "blink", check)


def _reconcile_as_one() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    _make_runs_anew(sa.Column("id", number, nullable=False), 1)


def _make_runs_anew(key: sa.Column[Any], value: object, *more: sa.CheckConstraint) -> None:
    """Make the table of reconciliations with another key, and keep its first row."""
    columns = (
        sa.Column("read_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("drift_sats", sa.BigInteger(), nullable=False),
    )
    kept = sa.table("reconciliation", *(sa.column(c.name, c.type) for c in columns))
    rows = op.get_bind().execute(sa.select(kept).limit(1)).all()
    op.drop_table("reconciliation")
    primary = sa.PrimaryKeyConstraint(key.name, name=op.f("pk_reconciliation"))
    made = op.create_table("reconciliation", key, *columns, *more, primary)
    op.bulk_insert(made, [{key.name: value, **row._mapping} for row in rows])
