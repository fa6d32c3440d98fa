"""The messages for pages, exactly as the contract writes them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from forwarder.model import message
from forwarder.model.invoice import Ending, InvoiceState
from forwarder.model.units import PaymentHash, Sats, iso
from tests.model.samples import HASH, INVOICE, NOW

RECEIVED = Sats(2_345)  # not what was asked for: what was received counts
OTHER = replace(INVOICE, payment_hash=PaymentHash("ef" * 32))


def test_paid_is_told_in_the_words_of_the_contract() -> None:
    told = message.paid(INVOICE, RECEIVED, NOW)
    assert told.body == {
        "type": "payment",
        "status": "paid",
        "paymentHash": HASH,
        "amountSat": 2_345,
        "externalId": "order-7",
        "message": "Payment received successfully!",
        "timestamp": "2026-08-01T12:00:00.000Z",
        "id": told.id,
    }
    assert told.invoice_id == INVOICE.id


def test_forwarded_is_told_in_the_words_of_the_contract() -> None:
    told = message.forwarded(INVOICE, RECEIVED, NOW)
    assert told.body == {
        "type": "forwarded",
        "status": "forwarded",
        "paymentHash": HASH,
        "amountSat": 2_345,
        "externalId": "order-7",
        "timestamp": "2026-08-01T12:00:00.000Z",
        "id": told.id,
    }


@pytest.mark.parametrize(
    ("state", "word"),
    [(InvoiceState.EXPIRED, "expired"), (InvoiceState.CANCELLED, "cancelled")],
)
def test_an_end_is_told_in_the_words_of_the_contract(state: Ending, word: str) -> None:
    told = message.ended(INVOICE, state, NOW)
    assert told.body == {
        "type": word,
        "externalId": "order-7",
        "timestamp": "2026-08-01T12:00:00.000Z",
        "id": told.id,
    }


def test_a_notice_is_told_in_the_words_of_the_contract() -> None:
    assert message.Notice("n-1", NOW, "Closing soon.").body == {
        "type": "notice",
        "message": "Closing soon.",
        "timestamp": "2026-08-01T12:00:00.000Z",
    }


def test_a_message_has_the_same_id_whenever_it_is_made_and_no_other_has_it() -> None:
    later = NOW + timedelta(days=1)
    first = message.paid(INVOICE, RECEIVED, NOW)
    assert message.paid(INVOICE, Sats(1), later).id == first.id
    told = [
        message.forwarded(INVOICE, RECEIVED, NOW),
        message.ended(INVOICE, InvoiceState.EXPIRED, NOW),
        message.ended(INVOICE, InvoiceState.CANCELLED, NOW),
        message.paid(OTHER, RECEIVED, NOW),
    ]
    assert len({first.id, *(one.id for one in told)}) == 5
    assert str(UUID(first.id)) == first.id


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW, "2026-08-01T12:00:00.000Z"),
        (NOW + timedelta(microseconds=1_999), "2026-08-01T12:00:00.001Z"),
        (NOW.astimezone(timezone(timedelta(hours=-5))), "2026-08-01T12:00:00.000Z"),
        (datetime(1970, 1, 1, tzinfo=UTC), "1970-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_is_written_in_utc_with_milliseconds(moment: datetime, text: str) -> None:
    assert iso(moment) == text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
