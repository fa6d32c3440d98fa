"""The node's replies as models that reject what they do not understand.

What is there has to be right to the letter; what is there beside it is a newer node's.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from forwarder.model import bolt11
from forwarder.model.bolt11 import Bolt11, Bolt11Error
from forwarder.model.invoice import Issued
from forwarder.model.keyring import forward_name_in
from forwarder.model.ledger import Direction, Entry, EntryStatus, Paid
from forwarder.model.refusal import NODE_FAILED, Refusal
from forwarder.model.units import MAX_SATS, PaymentHash, WalletId
from forwarder.model.words import plain

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
NodeId = Annotated[WalletId, StringConstraints(pattern=r"^[0-9a-f]{66}$")]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
Request = Annotated[str, StringConstraints(min_length=10, max_length=8192)]
Text = Annotated[str, AfterValidator(plain)]
Whole = Annotated[int, Field(strict=True, ge=0, le=MAX_SATS)]
Msats = Annotated[int, Field(strict=True, ge=0, le=MAX_SATS * 1000)]


def _moment(milliseconds: object) -> datetime:
    """A time of the node's: whole milliseconds since 1970."""
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool):
        raise ValueError("a time is a whole number of milliseconds")
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError) as exc:
        raise ValueError("a time is out of range") from exc


_NAME = re.compile(r"[a-zA-Z0-9_-]{1,100}")


def _ours(name: str | None) -> str | None:
    """A name that can be one of ours; whoever else uses the node names things as they like."""
    return name if name is not None and _NAME.fullmatch(name) else None


Moment = Annotated[datetime, BeforeValidator(_moment)]
Name = Annotated[str | None, AfterValidator(_ours)]


class Reply(BaseModel):
    """A part of a reply: camel case on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, strict=True)


class NodeInfo(Reply):
    """Which node this is."""

    node_id: NodeId
    chain: Text


class Balance(Reply):
    """What the node can send, and what it keeps for fees to come."""

    balance_sat: Whole
    fee_credit_sat: Whole


class GeneratedInvoice(Reply):
    """A new invoice."""

    payment_hash: Hash
    serialized: Request

    def issued(self) -> Issued:
        """The invoice, decoded. Raises `Bolt11Error`."""
        made = bolt11.decode(self.serialized)
        return Issued(PaymentHash(self.payment_hash), self.serialized, made.issued_at)


class PaymentSent(Reply):
    """A payment that has arrived; its preimage is the receipt."""

    payment_id: Uuid
    payment_hash: Hash
    payment_preimage: Hash

    @model_validator(mode="after")
    def _is_proven(self) -> Self:
        _check(self.payment_preimage, self.payment_hash)
        return self

    def outcome(self) -> Paid:
        """What it proves."""
        return Paid(self.payment_id)


class PaymentFailed(Reply):
    """A payment that the node has given up, or never begun because of an earlier one."""

    payment_hash: Hash
    reason: Text

    def outcome(self) -> Refusal:
        """What the node says; what it proves only its own list can tell."""
        return Refusal(NODE_FAILED, self.reason)


class IncomingPayment(Reply):
    """An invoice of the node's, paid or not. `fees` were taken before, and are in millisats."""

    payment_hash: Hash
    external_id: Name = None
    invoice: Request | None = None
    is_paid: bool
    received_sat: Whole
    completed_at: Moment | None = None
    created_at: Moment

    def entry(self) -> Entry | None:
        """What was received; None while nothing was."""
        if not self.is_paid or self.completed_at is None:
            return None
        return Entry(
            id=self.payment_hash,
            direction=Direction.RECEIVE,
            status=EntryStatus.SUCCESS,
            amount=self.received_sat,
            payment_hash=PaymentHash(self.payment_hash),
            external_id=self.external_id,
            created_at=self.completed_at,
        )


class OutgoingPayment(Reply):
    """A payment of the node's, over Lightning or on the chain. `sent` includes the `fees`."""

    payment_id: Uuid
    payment_hash: Hash | None = None
    preimage: Hash | None = None
    sent: Whole
    fees: Msats
    invoice: Request | None = None
    completed_at: Moment | None = None
    created_at: Moment

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.preimage is not None:
            _check(self.preimage, self.payment_hash)
        if self.fees // 1000 > self.sent:
            raise ValueError("a payment of less than its own fees")
        return self

    def entry(self) -> Entry:
        """This payment as it counts here: by what its recipient got."""
        asked = self._asked()
        received = self.sent - self.fees // 1000
        if asked is not None and asked.amount_msat is not None:
            received = asked.amount_msat // 1000
        return Entry(
            id=self.payment_id,
            direction=Direction.SEND,
            status=self._status(),
            amount=-received,
            payment_hash=PaymentHash(self.payment_hash) if self.payment_hash else None,
            # Lightning tells a payer no name of an invoice but what its description says.
            external_id=None if asked is None else forward_name_in(asked.description or ""),
            created_at=self.created_at,
        )

    def _status(self) -> EntryStatus:
        # `isPaid` is no proof: older nodes say so of failed payments too.
        if self.preimage is not None:
            return EntryStatus.SUCCESS
        return EntryStatus.PENDING if self.completed_at is None else EntryStatus.FAILURE

    def _asked(self) -> Bolt11 | None:
        try:
            return bolt11.decode(self.invoice) if self.invoice else None
        except Bolt11Error:
            return None


def _check(preimage: str, payment_hash: str | None) -> None:
    if hashlib.sha256(bytes.fromhex(preimage)).hexdigest() != payment_hash:
        raise ValueError("the preimage is not that of the payment hash")
