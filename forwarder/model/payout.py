"""The decisions of a payout: may this invoice be paid, and what follows from Blink's answer?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from forwarder.model import bolt11
from forwarder.model.bolt11 import Bolt11Error
from forwarder.model.forward import Forward, PayoutInvoice, Verdict
from forwarder.model.invoice import Invoice, Issued
from forwarder.model.refusal import Refusal, Remedy

MAX_ATTEMPTS: Final = 5
"""Payout invoices made for one forward before a person is asked."""

LEDGER_MAY_LAG: Final = timedelta(seconds=200)
"""How long after a call was sent the ledger may still not show what it did.

Blink's router gives a call up after as long as 180 s, and the lock on a wallet lasts as long; a
ledger can show a payment late, to one reader and not to another.
"""

BETWEEN_READINGS: Final = timedelta(seconds=10)
"""The time between two readings of a ledger that are to prove that something is not in it."""


class Unfit(Exception):
    """A payout invoice must not be paid; says why, for a person."""


class Expired(Unfit):
    """The payout invoice can no longer be relied on to be payable."""


def examine(issued: Issued, forward: Forward, sale: Invoice, now: datetime) -> PayoutInvoice:
    """Decode a payout invoice and compare it with what was asked for. Raises `Unfit`."""
    try:
        asked, made = bolt11.decode(sale.payment_request), bolt11.decode(issued.payment_request)
    except Bolt11Error as exc:
        raise Unfit(f"the payout invoice cannot be read: {exc}") from exc
    if made.payment_hash != issued.payment_hash:
        raise Unfit("the payout invoice has another payment hash than Blink's answer")
    if made.amount_msat != forward.amount * 1000:
        raise Unfit(
            f"the payout invoice asks for {made.amount_msat} msat, not {forward.amount} sat"
        )
    if made.network != asked.network:
        raise Unfit(
            f"the payout invoice is for network {made.network}, the sale's for {asked.network}"
        )
    if made.expires_at <= now:
        raise Expired("the payout invoice has expired")
    return PayoutInvoice(issued.payment_request, issued.payment_hash, made.expires_at)


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The same payout invoice is paid again, later."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something was said of the payout invoice for good: the ledger is read until it is sure."""

    verdict: Verdict
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Hold:
    """The forward is held; `resumes` says that it is tried again without a person."""

    reason: str
    resumes: bool


Consequence = TryAgain | Doubt | Hold


def after_refusal(refusal: Refusal) -> Consequence:
    """What follows once a payout is refused, and the ledger shows no payment of it yet."""
    match refusal.remedy:
        case Remedy.RETRY:
            return TryAgain()
        case Remedy.WAIT:
            return Hold(str(refusal), resumes=True)
        case Remedy.HOLD:
            return Hold(str(refusal), resumes=False)
        case Remedy.PROVE:
            return Doubt(Verdict.PAID, refusal)
        case Remedy.RENEW:
            return Doubt(Verdict.REFUSED, refusal)
        case _:
            assert_never(refusal.remedy)


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """The ledger is read once more, no sooner than at `at`."""

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Absent:
    """The first reading that counts has shown no payment; a second one has to agree."""


@dataclass(frozen=True, slots=True)
class Renew:
    """The payout invoice is given up for a new one."""


Absence = ReadAgain | Absent | Renew | Hold


def after_absence(forward: Forward, sent_for: timedelta, now: datetime) -> Absence:
    """What follows when the ledger shows no payment of an invoice that has a verdict.

    `sent_for` is how long ago it was sent at the least, by a clock that never jumps. Absence proves
    nothing soon: only two readings after `LEDGER_MAY_LAG` do.
    """
    if sent_for < LEDGER_MAY_LAG:
        return ReadAgain(f"its ledger may show it late: {forward.refusal}", now)
    if forward.absent_at is None or forward.absent_at > now:  # read under a clock put right since
        return Absent()
    if now < forward.absent_at + BETWEEN_READINGS:
        return ReadAgain("its ledger is read once more", forward.absent_at + BETWEEN_READINGS)
    if forward.is_replayed:
        return Renew()
    if forward.verdict is Verdict.PAID:
        # A new attempt could pay a second time: whoever knows who has paid decides.
        return Hold(f"no payment of it is in the ledger, and yet: {forward.refusal}", resumes=False)
    if forward.attempt >= MAX_ATTEMPTS:
        reason = f"{forward.attempt} payout invoices were refused: {forward.refusal}"
        return Hold(reason, resumes=False)
    return Renew()
