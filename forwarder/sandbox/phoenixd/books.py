"""What the node has been paid and has paid, and what it owns."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from forwarder.sandbox import bolt11
from forwarder.sandbox.bank import Bank
from forwarder.sandbox.errors import Refusal, SandboxError
from forwarder.sandbox.node import Node

Status = Literal["pending", "succeeded", "failed"]

FEE_MSAT = 4_000  # what a payment costs: 4 sat and 0.4 %
FEE_PERMILLE = 4

ALREADY_PAID = "this invoice has already been paid"
IN_PROGRESS = "another payment is in progress for that invoice"
NOT_ENOUGH = "not enough funds in wallet to afford payment (available = {} msat)"
REJECTED = "recipient node rejected the payment"


class Failed(Exception):
    """A payment has failed, for the reason that the node gives."""


@dataclass(slots=True)
class Incoming:
    """An invoice of the node's, paid or not."""

    terms: bolt11.Terms
    preimage: str
    serialized: str
    external_id: str | None
    received: int = 0
    completed_at: datetime | None = None

    @property
    def payment_hash(self) -> str:
        return self.terms.payment_hash


@dataclass(slots=True)
class Outgoing:
    """A payment of the node's; `msats` is what its recipient gets, to which the fee is added."""

    id: str
    invoice: str
    payment_hash: str
    msats: int
    fee_msats: int
    created_at: datetime
    status: Status = "pending"
    preimage: str | None = None
    completed_at: datetime | None = None


@dataclass(slots=True)
class Books:
    """One node's payments; what it pays to Blink's invoices arrives there."""

    bank: Bank
    node: Node
    msats: int
    fee_credit_sats: int = 0  # what only fees can be paid with
    incoming: dict[str, Incoming] = field(default_factory=dict)
    outgoing: list[Outgoing] = field(default_factory=list)
    on_chain: list[datetime] = field(default_factory=list)  # when something came, and went again

    def create(
        self, sats: int | None, description: str, expires_in: timedelta, external_id: str | None
    ) -> Incoming:
        now = self.bank.clock()
        terms, preimage = self.node.terms(sats, description, now.replace(microsecond=0), expires_in)
        made = Incoming(terms, preimage, self.node.sign(terms), external_id)
        self.incoming[made.payment_hash] = made
        return made

    def receive(self, payment_request: str, sats: int | None) -> Incoming:
        """A customer pays; also an invoice that has expired, as long as its sender may still."""
        try:
            invoice = self.incoming.get(bolt11.decode(payment_request).terms.payment_hash)
        except ValueError as exc:
            raise SandboxError(str(exc)) from exc
        if invoice is None:
            raise SandboxError("not an invoice of the node's")
        if invoice.completed_at is not None:
            raise SandboxError(f"invoice {invoice.payment_hash} is paid")
        invoice.received = sats or invoice.terms.sats or 0
        invoice.completed_at = self.bank.clock()
        self.msats += invoice.received * 1000
        return invoice

    def begin(self, payment_request: str) -> Outgoing:
        """Take a payment up, or raise why it fails at once."""
        terms = bolt11.decode(payment_request).terms
        earlier = {one.status for one in self.outgoing if one.payment_hash == terms.payment_hash}
        if "succeeded" in earlier:
            raise Failed(ALREADY_PAID)
        if "pending" in earlier:
            raise Failed(IN_PROGRESS)
        msats = (terms.sats or 0) * 1000
        fee = FEE_MSAT + msats * FEE_PERMILLE // 1000
        if msats + fee > self.msats:
            raise Failed(NOT_ENOUGH.format(self.msats))
        begun = Outgoing(
            id=self.bank.entropy.uuid(),
            invoice=payment_request,
            payment_hash=terms.payment_hash,
            msats=msats,
            fee_msats=fee,
            created_at=self.bank.clock(),
        )
        self.outgoing.append(begun)
        self.msats -= msats + fee
        return begun

    def settle(self, payment: Outgoing) -> None:
        """Let a payment arrive, or fail if nobody takes it. Raises `Failed`."""
        invoice = self.bank.invoices.find(payment.payment_hash)
        now = self.bank.clock()
        if invoice is None or invoice.state(now) != "pending":
            self.fail(payment)
            raise Failed(REJECTED)
        try:
            self.bank.settlement.receive(invoice, payment.msats // 1000)
        except Refusal as refusal:
            self.fail(payment)
            raise Failed(REJECTED) from refusal
        payment.status, payment.completed_at = "succeeded", now
        payment.preimage = invoice.preimage

    def fail(self, payment: Outgoing) -> None:
        """Give a payment up, and have its money back."""
        payment.status, payment.completed_at = "failed", self.bank.clock()
        self.msats += payment.msats + payment.fee_msats

    def sent(self, payment_hash: str) -> list[Outgoing]:
        """Every payment of an invoice, the best first."""
        order: dict[Status, int] = {"succeeded": 0, "pending": 1, "failed": 2}
        mine = [one for one in self.outgoing if one.payment_hash == payment_hash]
        return sorted(mine, key=lambda one: order[one.status])
