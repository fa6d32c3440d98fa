"""BlinkPOS as a wallet: it pays inside Blink's ledger, where a payer sees names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from forwarder.blink import errors as blink
from forwarder.model import bolt11
from forwarder.model.errors import Unknown
from forwarder.model.forward import Forward, PayoutInvoice
from forwarder.model.invoice import Issued, Order
from forwarder.model.ledger import LedgerPage, Paid, Proof, Underway, proof_of
from forwarder.model.payment import Receipt
from forwarder.model.refusal import Refusal
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, WalletId
from forwarder.worker.accounts import Account


@dataclass(frozen=True, slots=True)
class BlinkWallet:
    """BlinkPOS's own wallet."""

    account: Account

    @property
    def source(self) -> Source:
        return Source.BLINK

    @property
    def id(self) -> WalletId:
        return self.account.wallet_id

    async def create_invoice(self, order: Order, name: str) -> Issued:
        return await self.account.client.create_invoice(
            self.id, order.amount, order.description, order.expires_in_minutes, name
        )

    async def cancel_invoice(self, payment_hash: PaymentHash) -> bool:
        try:
            await self.account.client.cancel_invoice(self.id, payment_hash)
        except blink.Refused as exc:
            if not exc.refusal.has_ended:
                raise
            return False
        return True

    async def receipt_of(self, payment_hash: PaymentHash) -> Receipt | None:
        entries = await self.account.client.entries_of(self.id, payment_hash)
        receipts = (entry.receipt() for entry in entries)
        return next((receipt for receipt in receipts if receipt is not None), None)

    async def invoice_of(self, payment_hash: PaymentHash) -> Issued:
        return await self.account.client.invoice_of(self.id, payment_hash)

    def income_since(self, since: datetime) -> AsyncIterator[LedgerPage]:
        return self.entries_since(since)

    def entries_since(self, since: datetime) -> AsyncIterator[LedgerPage]:
        return self.account.client.entries_since(self.id, since)

    def history(self, cursor: str | None) -> AsyncIterator[LedgerPage]:
        return self.account.client.history(self.id, cursor)

    async def pay(self, payout: PayoutInvoice) -> Paid | Underway | Refusal:
        return await self.account.client.pay_invoice(self.id, payout.payment_request)

    async def proof(self, payout: PayoutInvoice) -> Proof:
        return proof_of(await self.account.client.entries_of(self.id, payout.payment_hash))

    async def proof_by_list(self, payout: PayoutInvoice, stems: tuple[str, ...]) -> Proof:
        made_at = bolt11.decode(payout.payment_request).issued_at
        pages = self.account.client.entries_since(self.id, made_at, whole=True)
        listed = [entry async for page in pages for entry in page]
        return proof_of(e for e in listed if e.pays(payout.payment_hash, stems))

    async def proof_of_name(self, stems: tuple[str, ...], since: datetime) -> Proof:
        # Blink shows the name of an invoice to its payer.
        pages = self.account.client.entries_since(self.id, since, whole=True)
        return proof_of([entry async for page in pages for entry in page if entry.is_named(stems)])

    def memo(self, forward: Forward) -> str:
        # Inside Blink an expired invoice stays payable if it has a description.
        return f"Sale {forward.payment_hash[:16]}"

    def unknown(self, reason: str) -> Unknown:
        return blink.Unknown(reason)
