"""The reader of invoices, against the specification's examples and against the sandbox's writer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.bolt11 import Bolt11Error, decode
from forwarder.model.units import MAX_SATS
from forwarder.sandbox import bech32

HASH = "0001020304050607080900010203040506070809000102030405060708090102"

# Examples of https://github.com/lightning/bolts/blob/master/11-payment-encoding.md
DONATION = (
    "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqw"
    "zqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357"
    "wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tzt"
    "ugp9lfyql"
)
COFFEE = (
    "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq"
    "5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0"
    "xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh"
)


def test_an_invoice_without_an_amount_is_read() -> None:
    read = decode(DONATION)
    assert (read.network, read.amount_msat, read.payment_hash) == ("bc", None, HASH)
    assert read.description == "Please consider supporting this project"
    assert read.issued_at == datetime(2017, 6, 1, 10, 57, 38, tzinfo=UTC)
    assert read.expires_at == read.issued_at + timedelta(hours=1)


@pytest.mark.parametrize("text", [COFFEE, COFFEE.upper()])
def test_an_amount_and_an_expiry_are_read_in_either_case(text: str) -> None:
    read = decode(text)
    assert (read.amount_msat, read.description) == (250_000_000, "1 cup coffee")
    assert read.expires_at == read.issued_at + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (COFFEE[:-1] + "q", "checksum"),
        (COFFEE.replace("2500u", "2500m"), "checksum"),
        ("L" + COFFEE[1:], "mixes"),
        ("lnbc2500u", "no data"),
        ("", "no data"),
        ("pvjluez", "no data"),
        (COFFEE.replace("pvj", "bio"), "character"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "prefix"),
        ("lnbc1gcssw9pdqpqqqqqqqqqqq", "checksum"),
    ],
)
def test_what_is_no_invoice_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(Bolt11Error, match=why):
        decode(text)


@given(st.text(max_size=300) | st.from_regex(r"ln(bc|bcrt|tbs)\d{0,9}[munp]?1[a-z0-9]{0,200}"))
def test_garbage_raises_nothing_else(text: str) -> None:
    with pytest.raises(Bolt11Error):
        decode(text)


@given(st.integers(0, len(COFFEE) - 1), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_one_changed_character_is_noticed(at: int, character: str) -> None:
    changed = COFFEE[:at] + character + COFFEE[at + 1 :]
    if changed != COFFEE:
        with pytest.raises(Bolt11Error):
            decode(changed)


@pytest.mark.parametrize("amount", [f"{MAX_SATS // 10**8 + 1}", "9" * 19 + "p", "1" * 5_000])
def test_an_amount_beyond_all_wallets_is_refused(amount: str) -> None:
    """Also one of more digits than Python reads: no invoice of anybody's may end a list."""
    _, words = bech32.decode(COFFEE)
    with pytest.raises(Bolt11Error):
        decode(bech32.encode(f"lnbc{amount}", words))


def test_the_largest_amount_is_read() -> None:
    _, words = bech32.decode(COFFEE)
    read = decode(bech32.encode(f"lnbc{MAX_SATS // 10**8}", words))
    assert read.amount_msat == MAX_SATS * 1000
