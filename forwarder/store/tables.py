"""The tables, as SQLAlchemy and alembic see them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from forwarder.model.actor import Actor
from forwarder.model.finding import FindingKind
from forwarder.model.forward import ForwardState, Verdict
from forwarder.model.history import Outcome
from forwarder.model.invoice import InvoiceState
from forwarder.model.payment import Witness
from forwarder.model.source import Source
from forwarder.store.columns import Json, UtcDateTime, Words, member_of

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself only for INTEGER
Hash = String(64)
Name = String(100)


# Checks belong to the table: alembic leaves out those of a column.
def _one_of(column: str, states: type[StrEnum]) -> CheckConstraint:
    names = ", ".join(f"'{state}'" for state in states)
    return CheckConstraint(f"{column} IN ({names})", name=column)


def _source() -> Column[Source]:
    """Whose money it is about. What is older than the second source is Blink's."""
    kind = member_of(Source, 16)
    return Column("source", kind, nullable=False, server_default=Source.BLINK.value)


merchants = Table(
    "merchants",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("wallet_id", String(36)),
    Column("sealed_api_key", Text, nullable=False),
    Column("token_fingerprint", Hash, nullable=False, unique=True),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("moved_at", UtcDateTime),
    Column("environment", Hash),  # what the environment last said of it, to know when that changes
)

# An order is kept before Blink is asked, so that a POS that asks again gets the same invoice.
orders = Table(
    "orders",
    metadata,
    Column("merchant_id", Id, ForeignKey("merchants.id"), primary_key=True),
    Column("external_id", Name, primary_key=True),
    Column("fingerprint", Hash, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

invoices = Table(
    "invoices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("merchant_id", Id, ForeignKey("merchants.id"), nullable=False),
    Column("external_id", Name, nullable=False),
    Column("payment_hash", Hash, nullable=False, unique=True),
    Column("payment_request", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("description", Words, nullable=False),
    _source(),
    Column("wallet_id", String(36)),
    Column("state", member_of(InvoiceState, 16), nullable=False),
    Column("outlived", Boolean, nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("paid_at", UtcDateTime),
    Column("forwarded_at", UtcDateTime),
    UniqueConstraint("merchant_id", "external_id"),
    CheckConstraint("amount > 0", name="amount"),
    _one_of("source", Source),
    _one_of("state", InvoiceState),
    Index(None, "merchant_id", "id"),
    Index(None, "external_id"),
    Index(None, "amount", "created_at", "payment_hash"),
    Index(None, "state", "created_at", "payment_hash"),
    Index(None, "merchant_id", "state", "created_at", "payment_hash"),
)
Index(
    "ix_invoices_pending",
    invoices.c.expires_at,
    sqlite_where=invoices.c.state == text("'pending'"),
    postgresql_where=invoices.c.state == text("'pending'"),
)

payments = Table(
    "payments",
    metadata,
    Column("payment_hash", Hash, primary_key=True),
    Column("transaction_id", String(64), nullable=False, unique=True),
    Column("received", BigInteger, nullable=False),
    Column("invoice_id", Id, ForeignKey("invoices.id"), unique=True),
    _source(),
    Column("witness", member_of(Witness, 16), nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    CheckConstraint("received > 0", name="received"),
    _one_of("source", Source),
    Index(None, "seen_at", "payment_hash"),
    Index(None, "received", "seen_at", "payment_hash"),
)
Index(
    "ix_payments_unmatched",
    payments.c.seen_at,
    payments.c.payment_hash,
    sqlite_where=payments.c.invoice_id.is_(None),
    postgresql_where=payments.c.invoice_id.is_(None),
)

forwards = Table(
    "forwards",
    metadata,
    Column("id", Id, primary_key=True),
    Column("payment_hash", Hash, ForeignKey("payments.payment_hash"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("merchant_id", Id, ForeignKey("merchants.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    _source(),
    Column("state", member_of(ForwardState, 16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("external_id", Name, nullable=False, unique=True),
    Column("asked_at", UtcDateTime),
    Column("payout_request", Text),
    Column("payout_hash", Hash, unique=True),
    Column("payout_expires_at", UtcDateTime),
    Column("payout_to", String(36)),
    Column("sent_at", UtcDateTime),
    Column("sent_from", String(36)),
    Column("lost_at", UtcDateTime),
    Column("verdict", member_of(Verdict, 16)),
    Column("refusal", Words),
    Column("absent_at", UtcDateTime),
    Column("replayed_attempt", Integer),
    Column("transaction_id", String(64), unique=True),
    Column("tries", Integer, nullable=False),
    Column("due_at", UtcDateTime),
    Column("owner", String(36)),
    Column("held_reason", Words),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("payment_hash", "position"),
    CheckConstraint("amount > 0", name="amount"),
    _one_of("source", Source),
    _one_of("state", ForwardState),
    CheckConstraint("state <> 'forwarded' OR transaction_id IS NOT NULL", name="is_proven"),
    CheckConstraint("state <> 'sending' OR payout_hash IS NOT NULL", name="sending_has_a_payout"),
    CheckConstraint("state <> 'held' OR held_reason IS NOT NULL", name="held_says_why"),
    Index(None, "state", "created_at", "payment_hash"),
    Index(None, "merchant_id", "created_at", "payment_hash"),
)
Index(
    "ix_forwards_ended",
    forwards.c.ended_at,
    sqlite_where=forwards.c.ended_at.is_not(None),
    postgresql_where=forwards.c.ended_at.is_not(None),
)
Index(
    "ix_forwards_due",
    forwards.c.due_at,
    sqlite_where=forwards.c.due_at.is_not(None),
    postgresql_where=forwards.c.due_at.is_not(None),
)

UNSETTLED: Final = text("state NOT IN ('forwarded', 'resolved')")
"""The forwards that are not at their end. In these words both databases know the index by it."""

Index(
    "ix_forwards_unsettled",
    forwards.c.state,
    sqlite_where=UNSETTLED,
    postgresql_where=UNSETTLED,
)

totals = Table(
    "totals",
    metadata,
    Column("id", Id, primary_key=True),
    Column("total", String(16), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("sats", BigInteger, nullable=False),
)

refunds = Table(
    "refunds",
    metadata,
    Column("transaction_id", String(64), primary_key=True),
    Column("forward_id", Id, ForeignKey("forwards.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

# What a ledger shows and our books do not explain. None is ever deleted.
findings = Table(
    "findings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", member_of(FindingKind, 20), nullable=False),
    Column("source", member_of(Source, 16), nullable=False),
    Column("payment_hash", Hash),
    Column("transaction_id", String(64), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("text", Words, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("note", Words),
    UniqueConstraint("kind", "source", "transaction_id"),
    _one_of("kind", FindingKind),
    _one_of("source", Source),
)
Index(
    "ix_findings_open",
    findings.c.id,
    findings.c.kind,
    sqlite_where=findings.c.closed_at.is_(None),
    postgresql_where=findings.c.closed_at.is_(None),
)

# One row for each source: how far its ledger was read, by its own clock, and what the last run
# found, by ours.
reconciliation = Table(
    "reconciliation",
    metadata,
    Column("source", member_of(Source, 16), primary_key=True),
    Column("wallet_id", String(36)),
    Column("read_until", UtcDateTime),
    Column("last_run_at", UtcDateTime, nullable=False),
    Column("drift_sats", BigInteger, nullable=False),
    _one_of("source", Source),
)

# How far back the ledger of a wallet was looked through for sales that are not kept here: by its
# own cursor, and with which outcome once that is known.
histories = Table(
    "histories",
    metadata,
    Column("source", member_of(Source, 16), primary_key=True),
    Column("wallet_id", String(36), primary_key=True),
    Column("cursor", Text),
    Column("entries", BigInteger, nullable=False),
    Column("outcome", member_of(Outcome, 16)),
    _one_of("source", Source),
)

# What a webhook has told, kept before it is answered. `due_at` is when its source is to be asked
# whether it is so; None once that is known.
hints = Table(
    "hints",
    metadata,
    Column("source", member_of(Source, 16), primary_key=True),
    Column("payment_hash", Hash, primary_key=True),
    Column("kept_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", UtcDateTime),
    _one_of("source", Source),
)
Index(
    "ix_hints_due",
    hints.c.due_at,
    sqlite_where=hints.c.due_at.is_not(None),
    postgresql_where=hints.c.due_at.is_not(None),
)

# Which values of the secret this database was used with, so that none is taken for another.
secrets = Table(
    "secrets",
    metadata,
    Column("fingerprint", Hash, primary_key=True),
    Column("first_used_at", UtcDateTime, nullable=False),
    Column("led_since", UtcDateTime),  # the newest is the one that took the lead last
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("owner", String(36), nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("payment_hash", Hash),  # none for what belongs to no payment
    Column("step", String(40), nullable=False),
    Column("actor", member_of(Actor, 40), nullable=False),
    Column("detail", Json, nullable=False),
    Index(None, "payment_hash", "id"),
)

messages = Table(
    "messages",
    metadata,
    Column("seq", Id, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("invoice_id", Id, ForeignKey("invoices.id"), nullable=False),
    Column("body", Json, nullable=False),
    Index(None, "invoice_id", "seq"),
)

# What an operator tells every page, so that other processes tell theirs.
broadcasts = Table(
    "broadcasts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("message", Words, nullable=False),
    Index(None, "at"),
)

handshakes = Table(
    "handshakes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

creations = Table(
    "creations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("wallet_id", String(36)),
    Column("at", UtcDateTime, nullable=False),
)
