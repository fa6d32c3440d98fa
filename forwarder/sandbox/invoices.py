"""Invoices that Blink makes for the wallets of its accounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from forwarder.sandbox import bolt11, errors, prices
from forwarder.sandbox.accounts import Account, Accounts, Wallet, check_can_receive
from forwarder.sandbox.ledger import Currency
from forwarder.sandbox.limits import RateLimit
from forwarder.sandbox.node import Node

InvoiceState = Literal["pending", "paid", "cancelled", "expired"]
PaymentStatus = Literal["PENDING", "PAID", "EXPIRED"]

BTC_DEFAULT_MINUTES = 240
BTC_OPEN_MINUTES = 120  # default when the payer chooses the amount
BTC_MAX_MINUTES = 1440
USD_MINUTES = 5  # default and maximum: the rate is fixed for so long


@dataclass(frozen=True, slots=True)
class InvoiceOrder:
    """What a client asks for. `amount` is in sats or cents, as `currency` says; None is open."""

    wallet_id: str
    amount: int | None = None
    memo: str | None = None
    expires_in: int | None = None  # minutes
    external_id: str | None = None
    description_hash: str | None = None
    currency: Currency = "BTC"
    on_behalf: bool = False


@dataclass(slots=True)
class Invoice:
    wallet_id: str
    account_id: str
    terms: bolt11.Terms
    preimage: str
    payment_request: str
    external_id: str
    paid: bool = False
    cancelled: bool = False

    @property
    def payment_hash(self) -> str:
        return self.terms.payment_hash

    def state(self, now: datetime) -> InvoiceState:
        if self.paid:
            return "paid"
        if self.cancelled:
            return "cancelled"
        return "expired" if now >= self.terms.expires_at else "pending"

    def payment_status(self, now: datetime) -> PaymentStatus:
        """Blink knows no cancelled invoices: they are PENDING until they expire."""
        if self.paid:
            return "PAID"
        return "EXPIRED" if now >= self.terms.expires_at else "PENDING"


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice as it stands at one moment."""

    payment_hash: str
    payment_request: str
    wallet_id: str
    sats: int | None
    external_id: str
    memo: str
    state: InvoiceState
    created_at: datetime
    expires_at: datetime


@dataclass(slots=True)
class Invoices:
    accounts: Accounts
    node: Node
    clock: Callable[[], datetime]
    own_limit: RateLimit = field(default_factory=RateLimit)
    behalf_limit: RateLimit = field(default_factory=RateLimit)
    _by_hash: dict[str, Invoice] = field(default_factory=dict)
    _by_account: dict[str, list[Invoice]] = field(default_factory=dict)
    _external_ids: set[tuple[str, str]] = field(default_factory=set)

    def create(self, order: InvoiceOrder) -> Invoice:
        """Make an invoice, or raise the refusal; the order of the checks is Blink's."""
        wallet = self.accounts.wallet(order.wallet_id)
        account = self.accounts.owner(wallet.id)
        check_order(order, wallet)
        check_can_receive(account)
        self._spend_point(order, account)
        invoice = self._issue(order, wallet)
        if (account.id, invoice.external_id) in self._external_ids:
            raise errors.duplicate_external_id()
        self._keep(invoice)
        return invoice

    def cancel(self, wallet_id: str, payment_hash: str) -> None:
        invoice = self._by_hash.get(payment_hash)
        if invoice is None or invoice.wallet_id != wallet_id:
            raise errors.no_such_invoice(payment_hash)
        if invoice.state(self.clock()) != "pending":
            message = "The invoice has already been processed"
            raise errors.refusal("INVALID_INPUT", message)
        invoice.cancelled = True

    def find(self, payment_hash: str) -> Invoice | None:
        return self._by_hash.get(payment_hash)

    def get(self, payment_hash: str) -> Invoice:
        invoice = self.find(payment_hash)
        if invoice is None:
            raise errors.no_such_invoice(payment_hash)
        return invoice

    def of_account(self, account_id: str, wallet_ids: set[str]) -> list[Invoice]:
        """Newest first."""
        invoices = reversed(self._by_account.get(account_id, []))
        return [invoice for invoice in invoices if invoice.wallet_id in wallet_ids]

    def views(self, wallet_id: str) -> list[InvoiceView]:
        account = self.accounts.owner(wallet_id)
        now = self.clock()
        return [view(invoice, now) for invoice in self.of_account(account.id, {wallet_id})]

    def _spend_point(self, order: InvoiceOrder, account: Account) -> None:
        limit = self.behalf_limit if order.on_behalf else self.own_limit
        if not limit.allows(account.id, self.clock()):
            raise errors.too_many_invoices()

    def _issue(self, order: InvoiceOrder, wallet: Wallet) -> Invoice:
        minutes = expiry_minutes(wallet.currency, order.amount is not None, order.expires_in)
        terms, preimage = self.node.terms(
            sats=sats_of(order),
            description=order.memo or "",
            # BOLT11 has whole seconds: the invoice must not differ from its own text.
            now=self.clock().replace(microsecond=0),
            expires_in=timedelta(minutes=minutes),
            description_hash=order.description_hash,
        )
        return Invoice(
            wallet_id=wallet.id,
            account_id=wallet.account_id,
            terms=terms,
            preimage=preimage,
            payment_request=self.node.sign(terms),
            external_id=order.external_id or terms.payment_hash,
        )

    def _keep(self, invoice: Invoice) -> None:
        self._external_ids.add((invoice.account_id, invoice.external_id))
        self._by_hash[invoice.payment_hash] = invoice
        self._by_account.setdefault(invoice.account_id, []).append(invoice)


def check_order(order: InvoiceOrder, wallet: Wallet) -> None:
    if order.amount is None:
        return
    if order.currency != wallet.currency:
        raise errors.wrong_currency()
    if order.amount == 0:
        raise errors.amount_required("satoshi" if order.currency == "BTC" else "usd")


def expiry_minutes(currency: Currency, has_amount: bool, wanted: int | None) -> int:
    """The expiry that Blink gives: a wish that it does not like is replaced without a word."""
    if currency == "USD":
        return wanted if wanted and wanted <= USD_MINUTES else USD_MINUTES
    if wanted and wanted > BTC_MAX_MINUTES:
        return BTC_DEFAULT_MINUTES
    return wanted or (BTC_DEFAULT_MINUTES if has_amount else BTC_OPEN_MINUTES)


def sats_of(order: InvoiceOrder) -> int | None:
    if order.amount is None or order.currency == "BTC":
        return order.amount
    return prices.sats_of(order.amount)


def view(invoice: Invoice, now: datetime) -> InvoiceView:
    terms = invoice.terms
    return InvoiceView(
        payment_hash=terms.payment_hash,
        payment_request=invoice.payment_request,
        wallet_id=invoice.wallet_id,
        sats=terms.sats,
        external_id=invoice.external_id,
        memo=terms.description,
        state=invoice.state(now),
        created_at=terms.created_at,
        expires_at=terms.expires_at,
    )
