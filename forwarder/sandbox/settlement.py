"""Settlement: how payments enter the ledger, and who is told of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from forwarder.sandbox import bookings, prices
from forwarder.sandbox.accounts import Accounts, Wallet
from forwarder.sandbox.bills import Bill
from forwarder.sandbox.bookings import Side
from forwarder.sandbox.callbacks import Callbacks
from forwarder.sandbox.invoices import Invoice
from forwarder.sandbox.ledger import Details, Entry, EntryStatus, Ledger
from forwarder.sandbox.outside import Outside
from forwarder.sandbox.timers import Timers
from forwarder.sandbox.transactions import Statements, TransactionView, view
from forwarder.sandbox.updates import Updates

Verdict = Literal["success", "failure"]


@dataclass(frozen=True, slots=True)
class Debit:
    """A payment that has passed every check: what leaves which wallet."""

    bill: Bill
    wallet: Wallet
    fee: int
    memo: str | None


@dataclass(slots=True)
class Settlement:
    accounts: Accounts
    ledger: Ledger
    statements: Statements
    outside: Outside
    updates: Updates
    callbacks: Callbacks
    timers: Timers
    clock: Callable[[], datetime]

    def pay(self, debit: Debit, *, notify: bool = True) -> TransactionView:
        """Settle at once; the sender's transaction."""
        bill = debit.bill
        if bill.invoice is None:
            entries = self._book(debit, bookings.house("outside"))
            self.outside.pay(bill.payment_hash)
            return self._call_back(debit.wallet, entries)
        wallet = self._credited_wallet(bill.invoice, bill.sats)
        entries = self._book(debit, self._payee(wallet, bill.terms.description))
        bill.invoice.paid = True
        if notify:
            self._notify(wallet, entries)
            self._call_back(debit.wallet, entries)
        return shown(entries, debit.wallet.id)

    def pay_later(self, debit: Debit, verdict: Verdict, seconds: float) -> TransactionView:
        """Debit the sender now, and settle or reverse in a while; nobody is told of either."""
        entries = self._book(debit, bookings.house("transit"), "PENDING")
        journal_id = entries[0].journal_id
        self.timers.after(seconds, partial(self._conclude, debit, journal_id, verdict))
        return shown(entries, debit.wallet.id)

    def transfer(
        self, source: Wallet, target: Wallet, sats: int, memo: str | None, *, notify: bool = True
    ) -> TransactionView:
        """Move sats between two wallets without an invoice."""
        details = Details("intraledger")
        postings = bookings.transfer(sats, self._payee(source, memo), self._payee(target, memo))
        entries = self.ledger.post(postings, details, self.clock())
        if notify:
            self._notify(target, entries)
        return shown(entries, source.id)

    def receive(self, invoice: Invoice, sats: int) -> TransactionView:
        """An outside customer pays; all of it is credited, also what was not asked for."""
        wallet = self._credited_wallet(invoice, sats)
        target = self._payee(wallet, invoice.terms.description)
        postings = bookings.transfer(sats, bookings.house("outside"), target)
        details = invoice_details(invoice, "lightning")
        entries = self.ledger.post(postings, details, self.clock())
        invoice.paid = True
        self._notify(wallet, entries)
        return shown(entries, wallet.id)

    def refund(self, tx: TransactionView) -> TransactionView:
        """Give back what a wallet has sent: a receipt that carries the hash of that payment."""
        wallet = self.accounts.wallet(tx.wallet_id)
        target = self._payee(wallet, "refund")
        postings = bookings.transfer(-tx.amount_sat, bookings.house("outside"), target)
        details = Details("lightning", "lightning", tx.payment_hash, tx.payment_request)
        return shown(self.ledger.post(postings, details, self.clock()), wallet.id)

    def open_balance(self, wallet: Wallet, sats: int) -> None:
        details = Details("opening")
        target = self._payee(wallet, None)
        postings = bookings.transfer(sats, bookings.house("outside"), target)
        self.ledger.post(postings, details, self.clock())

    def _book(self, debit: Debit, target: Side, status: EntryStatus = "SUCCESS") -> list[Entry]:
        bill = debit.bill
        # Without a memo of their own, payers see the description.
        source = self._payee(debit.wallet, debit.memo or bill.terms.description or None)
        postings = bookings.transfer(bill.sats, source, target, debit.fee)
        return self.ledger.post(postings, self._details(bill), self.clock(), status)

    def _details(self, bill: Bill) -> Details:
        if bill.invoice is not None:
            return invoice_details(bill.invoice, "intraledger")
        preimage = self.outside.preimage(bill.payment_hash)
        return Details("lightning", "lightning", bill.payment_hash, bill.payment_request, preimage)

    def _conclude(self, debit: Debit, journal_id: str, verdict: Verdict) -> None:
        invoice = debit.bill.invoice
        # Somebody else may have paid meanwhile: an invoice is paid once only.
        if verdict == "failure" or (invoice is not None and invoice.paid):
            self.ledger.reverse(journal_id, self.clock())
            return
        self.ledger.settle(journal_id)
        transit, total = bookings.house("transit"), debit.bill.sats + debit.fee
        if invoice is None:
            self._forward(total, transit, bookings.house("outside"), debit.bill)
            self.outside.pay(debit.bill.payment_hash)
            return
        wallet = self._credited_wallet(invoice, total)
        payee = self._payee(wallet, debit.bill.terms.description)
        entries = self._forward(total, transit, payee, debit.bill)
        invoice.paid = True
        self._notify(wallet, entries)

    def _forward(self, sats: int, source: Side, target: Side, bill: Bill) -> list[Entry]:
        postings = bookings.transfer(sats, source, target)
        return self.ledger.post(postings, self._details(bill), self.clock())

    def _credited_wallet(self, invoice: Invoice, sats: int) -> Wallet:
        wallet = self.accounts.wallet(invoice.wallet_id)
        if wallet.currency == "USD" and prices.cents_of(sats) == 0:
            # Less than a cent goes to the owner's bitcoin wallet instead.
            return self.accounts.wallet(self.accounts.owner(wallet.id).btc_wallet_id)
        return wallet

    def _payee(self, wallet: Wallet, memo: str | None) -> Side:
        return bookings.party(wallet, self.accounts.owner(wallet.id), memo)

    def _notify(self, wallet: Wallet, entries: list[Entry]) -> None:
        receipt = self._call_back(wallet, entries)
        self.updates.publish_receipt(self.accounts.owner(wallet.id), receipt)

    def _call_back(self, wallet: Wallet, entries: list[Entry]) -> TransactionView:
        """Have the owner's webhooks tell of a journal; how the owner sees it."""
        transaction = shown(entries, wallet.id)
        self.callbacks.publish(self.accounts.owner(wallet.id), transaction)
        return transaction


def invoice_details(invoice: Invoice, settlement: Literal["lightning", "intraledger"]) -> Details:
    # The recipient's externalId shows on the payer's side too.
    return Details(
        initiation="lightning",
        settlement=settlement,
        payment_hash=invoice.payment_hash,
        payment_request=invoice.payment_request,
        preimage=invoice.preimage,
        external_id=invoice.external_id,
    )


def shown(entries: list[Entry], wallet_id: str) -> TransactionView:
    """How the owner of a wallet sees a journal that has just been booked."""
    found = next(view(entry) for entry in entries if entry.posting.wallet_id == wallet_id)
    if found is None:
        raise AssertionError("an opening balance is not a transaction")
    return found
