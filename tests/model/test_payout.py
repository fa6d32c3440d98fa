"""The decisions of a payout: which invoice is paid, and what follows from Blink's answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.invoice import Issued
from forwarder.model.payout import (
    CALL_MAY_BE_UNDERWAY,
    MAX_ATTEMPTS,
    Hold,
    Renew,
    TryAgain,
    Unfit,
    after_refusal,
    examine,
    may_renew,
    renewal_time,
)
from forwarder.model.refusal import Refusal, Remedy
from tests.model.samples import HASH, INVOICE, NOW, SATS, forward, issue

SALE = replace(INVOICE, payment_request=issue(SATS).payment_request)
QUEUED = forward(payout=None)

SAMPLES = {
    Remedy.RETRY: Refusal(None, "Temporary failure"),
    Remedy.WAIT: Refusal("INSUFFICIENT_BALANCE", "too little"),
    Remedy.RENEW: Refusal("INVOICE_DECODE_ERROR", "what is this"),
    Remedy.HOLD: Refusal("RECEIVE_DISABLED", "closed"),
}


def test_an_invoice_that_asks_for_what_was_meant_is_taken() -> None:
    issued = issue(SATS, expires_in=timedelta(days=1))
    taken = examine(issued, QUEUED, SALE, NOW)
    assert taken.payment_request == issued.payment_request
    assert taken.payment_hash == issued.payment_hash
    assert taken.expires_at == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("issued", "why"),
    [
        (issue(SATS + 1), "asks for"),
        (issue(SATS - 1), "asks for"),
        (issue(None), "asks for None"),
        (issue(SATS, "mainnet"), "network bc"),
        (issue(SATS, at=NOW - timedelta(hours=1)), "expired"),
        (Issued(HASH, issue(SATS).payment_request, NOW), "another payment hash"),
        (Issued(HASH, "lnbcrt1garbage", NOW), "cannot be read"),
    ],
)
def test_an_invoice_that_asks_for_anything_else_is_not_paid(issued: Issued, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        examine(issued, QUEUED, SALE, NOW)


def test_nothing_is_paid_for_a_sale_that_cannot_be_read() -> None:
    with pytest.raises(Unfit):
        examine(issue(SATS), QUEUED, replace(SALE, payment_request="lnbcrt1garbage"), NOW)


def test_each_remedy_has_its_consequence() -> None:
    renewing, holding = SAMPLES[Remedy.RENEW], SAMPLES[Remedy.HOLD]
    waiting = SAMPLES[Remedy.WAIT]
    assert after_refusal(forward(), SAMPLES[Remedy.RETRY]) == TryAgain()
    assert after_refusal(forward(), waiting) == Hold(str(waiting), resumes=True)
    assert after_refusal(forward(), renewing) == Renew(renewing)
    assert after_refusal(forward(), holding) == Hold(str(holding), resumes=False)


@given(st.integers(1, 100), st.sampled_from(list(SAMPLES.values())))
def test_a_person_is_asked_before_payout_invoices_are_made_for_ever(
    attempt: int, refusal: Refusal
) -> None:
    follows = after_refusal(forward(attempt=attempt), refusal)
    renews = refusal.remedy is Remedy.RENEW
    assert isinstance(follows, Renew) is (renews and attempt < MAX_ATTEMPTS)
    if renews and attempt >= MAX_ATTEMPTS:
        assert follows == Hold(f"{attempt} payout invoices were refused: {refusal}", resumes=False)


def test_a_call_that_was_answered_is_over() -> None:
    assert renewal_time(forward(lost_at=None), NOW) == NOW
    assert may_renew(forward(lost_at=None), NOW)


@given(st.timedeltas(timedelta(0), timedelta(minutes=10)))
def test_a_call_whose_answer_was_lost_is_waited_out(since: timedelta) -> None:
    lost = forward(lost_at=NOW)
    now: datetime = NOW + since
    assert renewal_time(lost, now) == NOW + CALL_MAY_BE_UNDERWAY
    assert may_renew(lost, now) is (since >= CALL_MAY_BE_UNDERWAY)
