"""The decisions of a payout: which invoice is paid, and what follows from Blink's answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.forward import Verdict
from forwarder.model.invoice import Issued
from forwarder.model.payout import (
    BETWEEN_READINGS,
    LEDGER_MAY_LAG,
    MAX_ATTEMPTS,
    Absent,
    Doubt,
    Hold,
    ReadAgain,
    Renew,
    TryAgain,
    Unfit,
    after_absence,
    after_refusal,
    examine,
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
    Remedy.PROVE: Refusal("LIGHTNING_PAYMENT_ERROR", "Invoice is already paid"),
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
    waiting, proving = SAMPLES[Remedy.WAIT], SAMPLES[Remedy.PROVE]
    assert after_refusal(SAMPLES[Remedy.RETRY]) == TryAgain()
    assert after_refusal(waiting) == Hold(str(waiting), resumes=True)
    assert after_refusal(holding) == Hold(str(holding), resumes=False)
    assert after_refusal(renewing) == Doubt(Verdict.REFUSED, renewing)
    assert after_refusal(proving) == Doubt(Verdict.PAID, proving)


DOUBTED = forward(verdict=Verdict.REFUSED, refusal="dead")
ABSENT = replace(DOUBTED, absent_at=NOW)
LONG = LEDGER_MAY_LAG


@given(
    st.timedeltas(timedelta(0), timedelta(seconds=199)),
    st.sampled_from(Verdict),
    st.integers(1, 9),
    st.booleans(),
)
def test_absence_proves_nothing_soon(
    sent_for: timedelta, verdict: Verdict, attempt: int, replayed: bool
) -> None:
    """Whatever was said, whoever has replayed it, and whatever an earlier reading has shown."""
    doubted = replace(
        ABSENT,
        verdict=verdict,
        attempt=attempt,
        replayed_attempt=attempt if replayed else None,
    )
    late = NOW + timedelta(days=1)
    assert isinstance(after_absence(doubted, sent_for, late), ReadAgain)


def test_absence_has_to_be_read_twice() -> None:
    assert after_absence(DOUBTED, LONG, NOW) == Absent()
    early = after_absence(ABSENT, LONG, NOW + timedelta(seconds=9))
    assert early == ReadAgain("its ledger is read once more", NOW + BETWEEN_READINGS)
    assert after_absence(ABSENT, LONG, NOW + BETWEEN_READINGS) == Renew()


def test_a_reading_of_a_time_that_has_not_come_is_done_again() -> None:
    """It was made under a clock that ran ahead, and was put right since."""
    assert after_absence(ABSENT, LONG, NOW - timedelta(hours=1)) == Absent()


@given(st.integers(1, 9))
def test_what_is_said_to_be_paid_never_leads_to_a_new_attempt_by_itself(attempt: int) -> None:
    paid = replace(ABSENT, verdict=Verdict.PAID, attempt=attempt)
    follows = after_absence(paid, LONG, NOW + BETWEEN_READINGS)
    assert isinstance(follows, Hold)
    assert not follows.resumes
    assert "dead" in follows.reason
    replayed = replace(paid, replayed_attempt=attempt)
    assert after_absence(replayed, LONG, NOW + BETWEEN_READINGS) == Renew()


@given(st.integers(1, 9))
def test_a_person_is_asked_before_payout_invoices_are_made_for_ever(attempt: int) -> None:
    follows = after_absence(replace(ABSENT, attempt=attempt), LONG, NOW + BETWEEN_READINGS)
    spent = Hold(f"{attempt} payout invoices were refused: dead", resumes=False)
    assert follows == (Renew() if attempt < MAX_ATTEMPTS else spent)
    replayed = replace(ABSENT, attempt=attempt, replayed_attempt=attempt)
    assert after_absence(replayed, LONG, NOW + BETWEEN_READINGS) == Renew()
