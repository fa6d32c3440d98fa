"""What the worker asks of a wallet that takes customers' money and pays it on.

The rules of the worker hold for every wallet, and are written once. How each one is asked, and what
its answers prove, differs: `blink_wallet` and `node_wallet`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final, Protocol

from forwarder.model.errors import Unknown
from forwarder.model.forward import Forward, PayoutInvoice
from forwarder.model.invoice import Issued, Order
from forwarder.model.ledger import LedgerPage, Paid, Proof, Underway
from forwarder.model.payment import Receipt
from forwarder.model.refusal import Refusal
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, WalletId

# Blink's clock and a node's need not agree: where one's time is looked up in the other's list, the
# list is read from so much earlier on.
CLOCKS_MAY_DIFFER: Final = timedelta(days=1)


class Wallet(Protocol):
    """Where customers' money is. Every call raises `CallError`."""

    @property
    def source(self) -> Source:
        """Which of the sources it is."""

    @property
    def id(self) -> WalletId:
        """Which wallet it is, and no other: only the one that may have paid can prove it."""

    async def create_invoice(self, order: Order, name: str) -> Issued:
        """Make a customer's invoice under a name of ours."""

    async def cancel_invoice(self, payment_hash: PaymentHash) -> bool:
        """Let nobody pay an invoice any more; false if it may be paid already, or always can be."""

    async def receipt_of(self, payment_hash: PaymentHash) -> Receipt | None:
        """What was received for an invoice, if anything was."""

    async def invoice_of(self, payment_hash: PaymentHash) -> Issued:
        """A customer's invoice, as the wallet still has it."""

    def income_since(self, since: datetime) -> AsyncIterator[LedgerPage]:
        """Entries with all receipts since a time by its own clock, in pages, newest first."""

    def entries_since(self, since: datetime) -> AsyncIterator[LedgerPage]:
        """All entries, in the same way."""

    def history(self, cursor: str | None) -> AsyncIterator[LedgerPage]:
        """Entries with all receipts there ever were, on from the cursor of a page, newest first."""

    async def pay(self, payout: PayoutInvoice) -> Paid | Underway | Refusal:
        """Pay a payout invoice. Only `Paid` proves anything."""

    async def proof(self, payout: PayoutInvoice) -> Proof:
        """What its own entries prove about the payment of a payout invoice."""

    async def proof_by_list(self, payout: PayoutInvoice, stems: tuple[str, ...]) -> Proof:
        """The same of this one and of those whose names begin so, read from the list of all."""

    async def proof_of_name(self, stems: tuple[str, ...], since: datetime) -> Proof:
        """What they prove about payout invoices whose names begin in one of these ways."""

    def memo(self, forward: Forward) -> str:
        """What the payout invoice of a forward is to say."""

    def unknown(self, reason: str) -> Unknown:
        """That it cannot be known what an answer of its means."""
