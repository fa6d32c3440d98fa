"""A phoenixd node as a wallet: a payer on Lightning sees a description, and no name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from forwarder.model import bolt11
from forwarder.model.bolt11 import Bolt11Error
from forwarder.model.errors import Unknown
from forwarder.model.forward import Forward, PayoutInvoice
from forwarder.model.invoice import Issued, Order
from forwarder.model.ledger import Entry, LedgerPage, Paid, Proof, Underway, proof_of
from forwarder.model.payment import Receipt
from forwarder.model.refusal import EXPIRED, Refusal
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, WalletId
from forwarder.phoenixd import errors as phoenixd
from forwarder.phoenixd.client import MAX_DESCRIPTION, PhoenixdClient
from forwarder.worker.clock import Clock
from forwarder.worker.wallet import CLOCKS_MAY_DIFFER

_BEGINNING: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class NodeWallet:
    """A phoenixd node. What routing costs is the node's own, on top of what a merchant gets."""

    client: PhoenixdClient
    id: WalletId
    clock: Clock

    @property
    def source(self) -> Source:
        return Source.PHOENIXD

    async def create_invoice(self, order: Order, name: str) -> Issued:
        # Cut, not hashed: of a hash the customer's wallet would show nothing at all.
        text = order.description
        shown = text if len(text) <= MAX_DESCRIPTION else text[: MAX_DESCRIPTION - 1] + "…"
        return await self.client.create_invoice(order.amount, shown, order.expires_in_seconds, name)

    async def cancel_invoice(self, payment_hash: PaymentHash) -> bool:
        return False  # a node cancels nothing

    async def receipt_of(self, payment_hash: PaymentHash) -> Receipt | None:
        found = await self.client.received(payment_hash)
        entry = None if found is None else found.entry()
        return None if entry is None else entry.receipt()

    async def invoice_of(self, payment_hash: PaymentHash) -> Issued:
        found = await self.client.received(payment_hash)
        if found is None or found.invoice is None:
            raise self.unknown("the node has no text of this invoice")
        try:
            issued_at = bolt11.decode(found.invoice).issued_at
        except Bolt11Error as exc:
            raise self.unknown(f"the node's invoice cannot be read: {exc}") from exc
        return Issued(payment_hash, found.invoice, issued_at)

    def income_since(self, since: datetime) -> AsyncIterator[LedgerPage]:
        return self.client.incoming_since(since)

    def history(self, cursor: str | None) -> AsyncIterator[LedgerPage]:
        return self.client.incoming_since(_BEGINNING, offset=int(cursor or 0))

    async def entries_since(self, since: datetime) -> AsyncIterator[LedgerPage]:
        async for page in self.client.incoming_since(since):
            yield page
        async for page in self.client.outgoing_since(since):
            yield page

    async def pay(self, payout: PayoutInvoice) -> Paid | Underway | Refusal:
        if payout.expires_at <= self.clock():
            return Refusal(EXPIRED, "the payout invoice has expired, and Lightning pays none such")
        return await self.client.pay_invoice(payout)

    async def proof(self, payout: PayoutInvoice) -> Proof:
        found = await self.client.sent(payout.payment_hash)
        if found is not None:
            return proof_of([found])
        # Not to know a payment and not to know the question are answered alike; its list is sure.
        return await self.proof_by_list(payout, ())

    async def proof_by_list(self, payout: PayoutInvoice, stems: tuple[str, ...]) -> Proof:
        made_at = bolt11.decode(payout.payment_request).issued_at
        sent = await self._sent(made_at)
        return proof_of(e for e in sent if e.pays(payout.payment_hash, stems))

    async def proof_of_name(self, stems: tuple[str, ...], since: datetime) -> Proof:
        return proof_of([entry for entry in await self._sent(since) if entry.is_named(stems)])

    def memo(self, forward: Forward) -> str:
        # Lightning tells a payer nothing of an invoice but this: without its name here, a lost
        # database could not be told from the node's list what was paid on already.
        return f"Sale {forward.payment_hash[:16]} {forward.external_id}"

    def unknown(self, reason: str) -> Unknown:
        return phoenixd.Unknown(reason)

    async def _sent(self, since: datetime) -> list[Entry]:
        pages = self.client.outgoing_since(since - CLOCKS_MAY_DIFFER, whole=True)
        return [entry async for page in pages for entry in page]
