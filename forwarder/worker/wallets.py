"""The wallets that take customers' money and pay it on: BlinkPOS, and a phoenixd node.

The rules of the worker hold for both, and are written once; what differs in how a wallet is asked,
and in what its answers prove, is here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from forwarder.blink import errors as blink
from forwarder.model import bolt11
from forwarder.model.bolt11 import Bolt11Error
from forwarder.model.forward import Forward, PayoutInvoice
from forwarder.model.invoice import Issued, Order
from forwarder.model.ledger import Entry, Paid, Proof, Underway, proof_of
from forwarder.model.outcome import Unknown
from forwarder.model.payment import Receipt
from forwarder.model.refusal import EXPIRED, Refusal
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, WalletId
from forwarder.phoenixd import errors as phoenixd
from forwarder.phoenixd.client import MAX_DESCRIPTION, PhoenixdClient
from forwarder.worker.accounts import Account, Accounts
from forwarder.worker.clock import Clock

# Blink's clock and a node's need not agree: where one's time is looked up in the other's list, the
# list is read from so much earlier on.
CLOCKS_MAY_DIFFER: Final = timedelta(days=1)
_ID_LENGTH: Final = 36


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

    def income_since(self, since: datetime) -> AsyncIterator[Sequence[Entry]]:
        """Entries with all receipts since a time by its own clock, in pages, newest first."""

    def entries_since(self, since: datetime) -> AsyncIterator[Sequence[Entry]]:
        """All entries, in the same way."""

    async def pay(self, payout: PayoutInvoice) -> Paid | Underway | Refusal:
        """Pay a payout invoice. Only `Paid` proves anything."""

    async def proof(self, payout: PayoutInvoice) -> Proof:
        """What its own entries prove about the payment of a payout invoice."""

    async def proof_of_name(self, stems: tuple[str, ...], since: datetime) -> Proof:
        """What they prove about payout invoices whose names begin in one of these ways."""

    def memo(self, forward: Forward) -> str:
        """What the payout invoice of a forward is to say."""

    def unknown(self, reason: str) -> Unknown:
        """That it cannot be known what an answer of its means."""


@dataclass(frozen=True, slots=True)
class BlinkWallet:
    """BlinkPOS."""

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

    def income_since(self, since: datetime) -> AsyncIterator[Sequence[Entry]]:
        return self.entries_since(since)

    def entries_since(self, since: datetime) -> AsyncIterator[Sequence[Entry]]:
        return self.account.client.entries_since(self.id, since)

    async def pay(self, payout: PayoutInvoice) -> Paid | Underway | Refusal:
        return await self.account.client.pay_invoice(self.id, payout.payment_request)

    async def proof(self, payout: PayoutInvoice) -> Proof:
        return proof_of(await self.account.client.entries_of(self.id, payout.payment_hash))

    async def proof_of_name(self, stems: tuple[str, ...], since: datetime) -> Proof:
        # Blink shows the name of an invoice to its payer.
        pages = self.account.client.entries_since(self.id, since, whole=True)
        return proof_of(
            [entry async for page in pages for entry in page if _is_named(entry, stems)]
        )

    def memo(self, forward: Forward) -> str:
        # Inside Blink an expired invoice stays payable if it has a description.
        return f"Sale {forward.payment_hash[:16]}"

    def unknown(self, reason: str) -> Unknown:
        return blink.Unknown(reason)


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

    def income_since(self, since: datetime) -> AsyncIterator[Sequence[Entry]]:
        return self.client.incoming_since(since)

    async def entries_since(self, since: datetime) -> AsyncIterator[Sequence[Entry]]:
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
        made_at = bolt11.decode(payout.payment_request).issued_at
        sent = [e for e in await self._sent(made_at) if e.payment_hash == payout.payment_hash]
        return proof_of(sent)

    async def proof_of_name(self, stems: tuple[str, ...], since: datetime) -> Proof:
        return proof_of([entry for entry in await self._sent(since) if _is_named(entry, stems)])

    def memo(self, forward: Forward) -> str:
        # Lightning tells a payer nothing of an invoice but this: without its name here, a lost
        # database could not be told from the node's list what was paid on already.
        return f"Sale {forward.payment_hash[:16]} {forward.external_id}"

    def unknown(self, reason: str) -> Unknown:
        return phoenixd.Unknown(reason)

    async def _sent(self, since: datetime) -> list[Entry]:
        pages = self.client.outgoing_since(since - CLOCKS_MAY_DIFFER, whole=True)
        return [entry async for page in pages for entry in page]


class Wallets:
    """The wallets that this installation has."""

    def __init__(self, accounts: Accounts, node: PhoenixdClient | None, clock: Clock) -> None:
        self._accounts = accounts
        self._node = node
        self._clock = clock

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources that are set up."""
        return (Source.BLINK,) if self._node is None else (Source.BLINK, Source.PHOENIXD)

    async def of(self, source: Source) -> Wallet:
        """The wallet of a source, as it is now. Raises `CallError`."""
        if source is Source.BLINK:
            return BlinkWallet(await self._accounts.pos())
        if self._node is None:
            raise phoenixd.NeverSent(
                "no phoenixd node is set up: set PHOENIXD_HOST and PHOENIXD_TOKEN"
            )
        info = await self._node.info()
        return NodeWallet(self._node, WalletId(info.node_id[:_ID_LENGTH]), self._clock)


def _is_named(entry: Entry, stems: tuple[str, ...]) -> bool:
    return (entry.external_id or "").startswith(stems)
