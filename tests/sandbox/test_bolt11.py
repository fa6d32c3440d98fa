"""Invoices of the sandbox, judged by a decoder that is not ours."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from random import Random

import bolt11 as independent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.sandbox import bech32, bolt11
from forwarder.sandbox.bolt11 import Network
from forwarder.sandbox.entropy import Entropy
from forwarder.sandbox.node import Node
from tests.sandbox.client import START


def node(network: Network = "regtest") -> Node:
    return Node(Entropy(Random(3)), network)  # noqa: S311  replayable


@pytest.mark.parametrize(
    ("network", "prefix"),
    [("mainnet", "lnbc21u"), ("regtest", "lnbcrt21u"), ("signet", "lntbs21u")],
)
def test_an_independent_decoder_reads_every_field(network: Network, prefix: str) -> None:
    signer = node(network)
    terms, preimage = signer.terms(2100, "order 42 é", START, timedelta(minutes=15))
    request = signer.sign(terms)
    decoded = independent.decode(request)
    assert request.startswith(prefix)
    assert decoded.payee == signer.id
    assert decoded.amount_msat == 2_100_000
    assert decoded.payment_hash == hashlib.sha256(bytes.fromhex(preimage)).hexdigest()
    assert decoded.payment_secret == terms.payment_secret
    assert decoded.description == "order 42 é"
    assert decoded.date == int(START.timestamp())
    assert decoded.expiry == 900
    assert decoded.min_final_cltv_expiry == bolt11.MIN_FINAL_CLTV
    assert decoded.features is not None
    assert {feature.name for feature in decoded.features.feature_list} == {
        "var_onion_optin",
        "payment_secret",
        "basic_mpp",
    }


@given(
    sats=st.none() | st.integers(1, 21_000_000 * 100_000_000),
    description=st.text(max_size=100),
    minutes=st.integers(1, 1440),
)
def test_both_decoders_agree_on_any_invoice(
    sats: int | None, description: str, minutes: int
) -> None:
    signer = node()
    terms, _ = signer.terms(sats, description, START, timedelta(minutes=minutes))
    request = signer.sign(terms)
    theirs, ours = independent.decode(request), bolt11.decode(request)
    assert ours == bolt11.Decoded(terms, signer.id)
    assert theirs.amount_msat == (None if sats is None else sats * 1000)
    assert (theirs.description or "") == description
    assert (theirs.payee, theirs.expiry) == (signer.id, minutes * 60)


def test_a_description_hash_takes_the_place_of_the_description() -> None:
    signer = node()
    digest = hashlib.sha256(b"metadata").hexdigest()
    terms, _ = signer.terms(1, "", START, timedelta(minutes=1), digest)
    decoded = independent.decode(signer.sign(terms))
    assert (decoded.description_hash, decoded.description) == (digest, None)


@given(st.integers(20, 200), st.sampled_from(bech32.CHARSET))
def test_a_changed_character_is_noticed(position: int, character: str) -> None:
    signer = node()
    request = signer.sign(signer.terms(5, "x", START, timedelta(minutes=1))[0])
    changed = request[:position] + character + request[position + 1 :]
    if changed != request:
        with pytest.raises(ValueError, match="checksum"):
            bolt11.decode(changed)


@pytest.mark.parametrize(
    "text", ["", "lnbc1", "not an invoice", "lnbc1qqqqqqqqq", "ln1" + "q" * 300]
)
def test_what_is_no_invoice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        bolt11.decode(text)
