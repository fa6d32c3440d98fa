"""Payments: Blink's rules for sending, in its order of checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from forwarder.sandbox import bills, bookings, errors, outside
from forwarder.sandbox.accounts import Accounts, ApiKey, Wallet, check_can_receive
from forwarder.sandbox.bills import Bill, Flow, Flows
from forwarder.sandbox.faults import Fault
from forwarder.sandbox.invoices import Invoices
from forwarder.sandbox.limits import Spending
from forwarder.sandbox.locks import WalletLocks
from forwarder.sandbox.settlement import Debit, Settlement, Verdict
from forwarder.sandbox.transactions import TransactionView

SendStatus = Literal["SUCCESS", "PENDING", "ALREADY_PAID", "FAILURE"]

PENDING_SECONDS = 0.05  # how long a payment stays PENDING when its fault does not say
LATER: dict[str, Verdict] = {"pending_then_success": "success", "pending_then_failure": "failure"}


@dataclass(frozen=True, slots=True)
class SendOrder:
    """An invoice to be paid; `amount` only if it has none of its own."""

    wallet_id: str
    payment_request: str
    memo: str | None = None
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class TransferOrder:
    wallet_id: str
    recipient_wallet_id: str
    amount: int
    memo: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The circumstances of a send: who asks, what goes wrong, how long Blink takes over it."""

    key: ApiKey | None = None
    fault: Fault | None = None
    dwell: float = 0.0

    def suffers(self, kind: str) -> bool:
        return self.fault is not None and self.fault.kind == kind


@dataclass(frozen=True, slots=True)
class Outcome:
    status: SendStatus
    transaction: TransactionView | None


@dataclass(slots=True)
class Payments:
    accounts: Accounts
    invoices: Invoices
    settlement: Settlement
    locks: WalletLocks
    clock: Callable[[], datetime]
    flows: Flows = field(default_factory=Flows)
    spending: Spending = field(default_factory=Spending)

    async def send(self, order: SendOrder, attempt: Attempt) -> Outcome:
        """Pay an invoice from a wallet, or raise the refusal that Blink would answer with."""
        wallet = self.accounts.wallet(order.wallet_id)
        bill = bills.read(self.invoices, order.payment_request, order.amount)
        flow = self._plan(bill, wallet)
        if bill.invoice is not None:
            self._check_payee(self.accounts.wallet(bill.invoice.wallet_id), wallet)
        self._check_spending(wallet, bill.sats, attempt)
        if attempt.suffers("already_paid_elsewhere"):
            self._pay_as_stranger(bill)
        async with self.locks.hold(wallet.id):
            outcome = self._pay(Debit(bill, wallet, fee_of(bill, flow), order.memo), attempt)
            await asyncio.sleep(attempt.dwell)
        if outcome.status == "SUCCESS" and attempt.suffers("failure_after_commit"):
            raise errors.unexpected("UnknownLightningServiceError")
        return outcome

    async def transfer(self, order: TransferOrder, attempt: Attempt) -> Outcome:
        """Pay another wallet of Blink's directly: nothing keeps this from happening twice."""
        source = self.accounts.wallet(order.wallet_id)
        target = self.accounts.wallet(order.recipient_wallet_id)
        if source.id == target.id:
            raise errors.pays_self()
        if order.amount == 0:
            raise errors.amount_required("satoshi")
        self._check_payee(target, source)
        self._check_spending(source, order.amount, attempt)
        async with self.locks.hold(source.id):
            outcome = self._transfer(order, source, target, attempt)
            await asyncio.sleep(attempt.dwell)
        if attempt.suffers("failure_after_commit"):
            raise errors.unexpected("UnknownLedgerError")
        return outcome

    def probe(self, order: SendOrder) -> int:
        """The fee that a payment would cost; like Blink's, this plans the payment."""
        wallet = self.accounts.wallet(order.wallet_id)
        bill = bills.read(self.invoices, order.payment_request, order.amount)
        fee = self._plan(bill, wallet).fee
        if fee is None:
            fee = outside.PROBED_FEE
            self.flows.remember(bill, wallet.id, Flow(self.clock(), fee))
        return fee

    def _plan(self, bill: Bill, wallet: Wallet) -> Flow:
        """The young flow of this payment, or a new one for an invoice that can be paid."""
        flow = self.flows.young(bill, wallet.id, self.clock())
        if flow is None:
            self._check_invoice(bill, wallet)
            flow = Flow(self.clock(), None if bill.invoice is None else 0)
            self.flows.remember(bill, wallet.id, flow)
        return flow

    def _check_invoice(self, bill: Bill, wallet: Wallet) -> None:
        invoice = bill.invoice
        if invoice is None:
            return
        if invoice.paid:
            # Not turned into ALREADY_PAID: only a young flow gets that far.
            raise errors.already_paid()
        if invoice.wallet_id == wallet.id:
            raise errors.pays_self()
        # Without a description the invoice is looked up in LND, which forgets the dead ones;
        # with one it is not, and is paid although expired or cancelled.
        if not bill.terms.description and invoice.state(self.clock()) != "pending":
            raise errors.unexpected("InvoiceNotFoundError")

    def _check_payee(self, target: Wallet, source: Wallet) -> None:
        if target.account_id != source.account_id:
            check_can_receive(self.accounts.owner(target.id))

    def _check_spending(self, wallet: Wallet, sats: int, attempt: Attempt) -> None:
        account = self.accounts.owner(wallet.id)
        self.spending.check(account, attempt.key, sats, self.clock())

    def _check_balance(self, wallet: Wallet, sats: int) -> None:
        balance = self.settlement.ledger.balance(wallet.id)
        needed = bookings.debit(sats, bookings.Side(wallet.id, wallet.currency))
        if needed > balance:
            unit = "sats" if wallet.currency == "BTC" else "cents"
            raise errors.balance_too_low(needed, unit, balance)

    def _pay(self, debit: Debit, attempt: Attempt) -> Outcome:
        bill, wallet, ledger = debit.bill, debit.wallet, self.settlement.ledger
        if ledger.is_pending(bill.payment_hash):
            raise errors.payment_pending()
        if bill.invoice is not None and ledger.is_recorded(bill.payment_hash):
            return self._already_paid(debit)
        self._check_balance(wallet, bill.sats + debit.fee)
        if bill.invoice is None and self.settlement.outside.is_paid(bill.payment_hash):
            # The balance is checked before LND can say so.
            return self._already_paid(debit)
        if bill.invoice is None:
            self._check_outside(bill)
        account = self.accounts.owner(wallet.id)
        self.spending.record(account, attempt.key, bill.sats, self.clock())
        return self._debit(debit, attempt)

    def _debit(self, debit: Debit, attempt: Attempt) -> Outcome:
        fault = attempt.fault
        if fault is not None and (verdict := LATER.get(fault.kind)):
            tx = self.settlement.pay_later(debit, verdict, fault.wait(PENDING_SECONDS))
            return Outcome("PENDING", tx)
        unnoticed = attempt.suffers("failure_after_commit")
        tx = self.settlement.pay(debit, notify=not unnoticed)
        return Outcome("SUCCESS", None if attempt.suffers("success_without_transaction") else tx)

    def _already_paid(self, debit: Debit) -> Outcome:
        mine = self.settlement.statements.first_send(debit.wallet.id, debit.bill.payment_hash)
        return Outcome("ALREADY_PAID", mine)

    def _check_outside(self, bill: Bill) -> None:
        if self.clock() >= bill.terms.expires_at:
            raise errors.invoice_dead()

    def _pay_as_stranger(self, bill: Bill) -> None:
        if bill.invoice is None:
            self.settlement.outside.pay(bill.payment_hash)
        elif not bill.invoice.paid:
            self.settlement.receive(bill.invoice, bill.sats)

    def _transfer(
        self, order: TransferOrder, source: Wallet, target: Wallet, attempt: Attempt
    ) -> Outcome:
        self._check_balance(source, order.amount)
        account = self.accounts.owner(source.id)
        self.spending.record(account, attempt.key, order.amount, self.clock())
        unnoticed = attempt.suffers("failure_after_commit")
        tx = self.settlement.transfer(
            source, target, order.amount, order.memo, notify=not unnoticed
        )
        return Outcome("SUCCESS", None if attempt.suffers("success_without_transaction") else tx)


def fee_of(bill: Bill, flow: Flow) -> int:
    return outside.reserve(bill.sats) if flow.fee is None else flow.fee
