"""The decisions of a payout: may this invoice be paid, and what follows from Blink's answer?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from forwarder.model import bolt11
from forwarder.model.bolt11 import Bolt11Error
from forwarder.model.forward import Forward, PayoutInvoice
from forwarder.model.invoice import Invoice, Issued
from forwarder.model.refusal import Refusal, Remedy

MAX_ATTEMPTS: Final = 5
"""Payout invoices made for one forward before a person is asked."""

CALL_MAY_BE_UNDERWAY: Final = timedelta(seconds=120)
"""How long after it was sent a call of ours could still take effect.

Our own deadline is 20 s; Blink's wallet lock and its gateways add less than the rest.
"""


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
class Renew:
    """The payout invoice is dead; a new one follows once no call can be under way any more."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Hold:
    """The forward is held; `resumes` says that it is tried again without a person."""

    reason: str
    resumes: bool


Consequence = TryAgain | Renew | Hold


def after_refusal(forward: Forward, refusal: Refusal) -> Consequence:
    """What follows once a payout is both refused and proven unpaid."""
    match refusal.remedy:
        case Remedy.RETRY:
            return TryAgain()
        case Remedy.WAIT:
            return Hold(str(refusal), resumes=True)
        case Remedy.HOLD:
            return Hold(str(refusal), resumes=False)
        case Remedy.RENEW if forward.attempt >= MAX_ATTEMPTS:
            return Hold(f"{forward.attempt} payout invoices were refused: {refusal}", resumes=False)
        case Remedy.RENEW:
            return Renew(refusal)
        case _:
            assert_never(refusal.remedy)


def may_renew(forward: Forward, now: datetime) -> bool:
    """Whether a dead payout invoice may be given up: no call for it can still be under way."""
    return now >= renewal_time(forward, now)


def renewal_time(forward: Forward, now: datetime) -> datetime:
    """From when on a dead payout invoice may be given up; a call that was answered is over."""
    return now if forward.lost_at is None else forward.lost_at + CALL_MAY_BE_UNDERWAY
