"""Invoices and transactions of Blink's graph, and the connections that list them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeVar

from forwarder.sandbox import prices
from forwarder.sandbox.invoices import Invoice, PaymentStatus
from forwarder.sandbox.ledger import Currency, EntryStatus
from forwarder.sandbox.pages import Page
from forwarder.sandbox.transactions import Direction, TransactionView

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InvoiceNode:
    invoice: Invoice
    now: datetime

    @property
    def typename(self) -> str:
        return "LnNoAmountInvoice" if self.invoice.terms.sats is None else "LnInvoice"

    @property
    def payment_hash(self) -> str:
        return self.invoice.payment_hash

    @property
    def payment_request(self) -> str:
        return self.invoice.payment_request

    @property
    def payment_secret(self) -> str:
        return self.invoice.terms.payment_secret

    @property
    def payment_status(self) -> PaymentStatus:
        return self.invoice.payment_status(self.now)

    @property
    def satoshis(self) -> int | None:
        return self.invoice.terms.sats

    @property
    def external_id(self) -> str:
        return self.invoice.external_id

    @property
    def created_at(self) -> datetime:
        return self.invoice.terms.created_at


@dataclass(frozen=True, slots=True)
class TransactionNode:
    """A transaction; events have its date as text and do not know its preimage yet."""

    settlement_display_currency: ClassVar[str] = "USD"
    tx: TransactionView
    created_at: datetime | str
    preimage: str | None

    @property
    def id(self) -> str:
        return self.tx.id

    @property
    def direction(self) -> Direction:
        return self.tx.direction

    @property
    def status(self) -> EntryStatus:
        return self.tx.status

    @property
    def memo(self) -> str | None:
        return self.tx.memo

    @property
    def external_id(self) -> str | None:
        return self.tx.external_id

    @property
    def settlement_amount(self) -> int:
        return self.tx.amount

    @property
    def settlement_fee(self) -> int:
        return self.tx.fee

    @property
    def settlement_currency(self) -> Currency:
        return self.tx.currency

    @property
    def settlement_display_amount(self) -> str:
        return display(self.tx.amount, self.tx.currency)

    @property
    def settlement_display_fee(self) -> str:
        return display(self.tx.fee, self.tx.currency)

    @property
    def initiation_via(self) -> InitiationViaLn | InitiationViaIntraLedger:
        if self.tx.initiation == "lightning":
            return InitiationViaLn(self.tx.payment_hash, self.tx.payment_request)
        return InitiationViaIntraLedger(self.tx.counterparty_username)

    @property
    def settlement_via(self) -> SettlementViaLn | SettlementViaIntraLedger:
        if self.tx.settlement == "lightning":
            return SettlementViaLn(self.preimage)
        return SettlementViaIntraLedger(self.tx.counterparty_username, self.preimage)


@dataclass(frozen=True, slots=True)
class InitiationViaLn:
    typename: ClassVar[str] = "InitiationViaLn"
    payment_hash: str | None
    payment_request: str | None


@dataclass(frozen=True, slots=True)
class InitiationViaIntraLedger:
    typename: ClassVar[str] = "InitiationViaIntraLedger"
    counter_party_wallet_id: ClassVar[None] = None
    counter_party_username: str | None


@dataclass(frozen=True, slots=True)
class SettlementViaLn:
    typename: ClassVar[str] = "SettlementViaLn"
    pre_image: str | None

    @property
    def payment_secret(self) -> str | None:
        return self.pre_image


@dataclass(frozen=True, slots=True)
class SettlementViaIntraLedger:
    # Blink reads the other wallet's id from where it is never written: clients always get null.
    typename: ClassVar[str] = "SettlementViaIntraLedger"
    counter_party_wallet_id: ClassVar[None] = None
    counter_party_username: str | None
    pre_image: str | None


def transaction_node(tx: TransactionView) -> TransactionNode:
    return TransactionNode(tx, tx.created_at, tx.preimage)


def connection(
    page: Page[T], cursor: Callable[[T], str], node: Callable[[T], object]
) -> dict[str, object]:
    """A page in the form that GraphQL clients walk through."""
    edges = [{"cursor": cursor(item), "node": node(item)} for item in page.items]
    info = {
        "start_cursor": edges[0]["cursor"] if edges else None,
        "end_cursor": edges[-1]["cursor"] if edges else None,
        "has_next_page": page.has_next,
        "has_previous_page": page.has_previous,
    }
    return {"edges": edges, "page_info": info}


def display(amount: int, currency: Currency) -> str:
    sats = amount if currency == "BTC" else prices.sats_of(amount)
    return f"{sats / prices.SATS_PER_CENT / 100:.2f}"
