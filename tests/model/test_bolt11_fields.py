"""Invoices that are odd, but whose checksum is right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.bolt11 import Bolt11, Bolt11Error, decode
from forwarder.sandbox import bech32
from tests.model.samples import HASH

MOMENT = 1_785_585_600
TIMESTAMP = bech32.from_integer(MOMENT, 7)
SIGNATURE = [0] * 104


def field(tag: int, words: list[int]) -> list[int]:
    return [tag, *bech32.from_integer(len(words), 2), *words]


HASH_FIELD = field(1, bech32.from_bytes(bytes.fromhex(HASH)))
OTHER_HASH = field(1, bech32.from_bytes(bytes(32)))


def read(*fields: list[int], prefix: str = "lnbcrt10u") -> Bolt11:
    words = [word for one in fields for word in one]
    return decode(bech32.encode(prefix, [*TIMESTAMP, *words, *SIGNATURE]))


def test_an_invoice_that_says_no_more_than_it_must_is_read() -> None:
    invoice = read(HASH_FIELD)
    assert (invoice.payment_hash, invoice.description) == (HASH, None)
    assert invoice.issued_at == datetime.fromtimestamp(MOMENT, UTC)
    assert invoice.expires_at == invoice.issued_at + timedelta(hours=1)


@pytest.mark.parametrize(
    ("prefix", "network", "msat"),
    [
        ("lnbc", "bc", None),
        ("lnbcrt1", "bcrt", 10**11),
        ("lntbs20m", "tbs", 2 * 10**9),
        ("lnbc3u", "bc", 3 * 10**5),
        ("lntb15n", "tb", 1_500),
        ("lnsb10p", "sb", 1),
    ],
)
def test_networks_and_amounts_are_read_from_the_prefix(
    prefix: str, network: str, msat: int | None
) -> None:
    invoice = read(HASH_FIELD, prefix=prefix)
    assert (invoice.network, invoice.amount_msat) == (network, msat)


@pytest.mark.parametrize(
    ("prefix", "why"),
    [("lnbc1p", "fraction"), ("lnbc0u", "prefix"), ("lnbc05u", "prefix"), ("lnxy1u", "prefix")],
)
def test_an_amount_that_is_none_is_refused(prefix: str, why: str) -> None:
    with pytest.raises(Bolt11Error, match=why):
        read(HASH_FIELD, prefix=prefix)


def test_the_first_field_of_a_kind_counts() -> None:
    assert read(HASH_FIELD, OTHER_HASH).payment_hash == HASH


def test_a_payment_hash_of_another_length_is_skipped() -> None:
    assert read(field(1, [0] * 50), HASH_FIELD).payment_hash == HASH
    with pytest.raises(Bolt11Error, match="no payment hash"):
        read(field(1, [0] * 53))


def test_an_invoice_without_a_payment_hash_is_refused() -> None:
    with pytest.raises(Bolt11Error, match="no payment hash"):
        read(field(13, bech32.from_bytes(b"coffee")))


def test_a_field_that_is_cut_short_is_refused() -> None:
    with pytest.raises(Bolt11Error, match="cut short"):
        read(HASH_FIELD, [13, 0, 9, 1])


def test_an_invoice_without_room_for_a_signature_is_refused() -> None:
    with pytest.raises(Bolt11Error, match="too short"):
        decode(bech32.encode("lnbc1u", [*TIMESTAMP, *HASH_FIELD]))


def test_an_expiry_without_end_ends_some_day() -> None:
    invoice = read(HASH_FIELD, field(6, [31] * 20))
    assert invoice.expires_at - invoice.issued_at == timedelta(seconds=2**31)


def test_a_description_that_is_no_text_does_no_harm() -> None:
    assert read(HASH_FIELD, field(13, bech32.from_bytes(b"\xff\xfe"))).description == "��"


@given(st.lists(st.integers(0, 31), max_size=200))
def test_any_words_are_read_or_refused(words: list[int]) -> None:
    try:
        invoice = decode(bech32.encode("lnbc1u", words))
    except Bolt11Error:
        return
    assert len(invoice.payment_hash) == 64
