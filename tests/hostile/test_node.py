"""What a node answers is bad input: a call ends with a value or a `PhoenixdError`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from forwarder.model.ledger import Entry, Paid
from forwarder.model.units import MAX_SATS
from forwarder.phoenixd.errors import PhoenixdError, Unknown
from forwarder.sandbox import bech32
from tests.hostile.answers import TO_ANYTHING
from tests.hostile.invoices import specimen
from tests.hostile.node import METHODS, SPECIMENS, Reader, client_of, judge_value


async def hear(method: str, body: bytes, status: int = 200) -> object:
    """What a call makes of an answer: its value, or its `PhoenixdError`."""
    reader = Reader()
    reader.body, reader.status = body, status
    try:
        return await METHODS[method](client_of(reader))
    except PhoenixdError as exc:
        return exc


async def hear_of(method: str, **parts: object) -> object:
    """The same of an honest answer, but for some parts."""
    answer: Any = SPECIMENS[method]
    listed = isinstance(answer, list)
    changed = {**(answer[0] if listed else answer), **parts}
    return await hear(method, json.dumps([changed] if listed else changed).encode())


async def test_the_specimens_are_understood() -> None:
    """What is mangled is only worth something if it was good before."""
    heard = {name: await hear_of(name) for name in METHODS}
    assert isinstance(heard["pay"], Paid)
    assert isinstance(heard["sent"], Entry)
    assert not [name for name, value in heard.items() if isinstance(value, PhoenixdError)]
    assert len(heard["incoming"]) == len(heard["outgoing"]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", TO_ANYTHING)
async def test_what_is_no_answer_is_an_error_of_the_nodes(name: str, method: str) -> None:
    said = TO_ANYTHING[name]
    if isinstance(heard := await hear(method, said.body, said.status), PhoenixdError):
        return
    # A list without payments is one; what a node does not know it answers with 404.
    assert (name, heard) == ("a list", None)


async def test_a_payment_of_less_than_its_fees_is_not_income() -> None:
    """Booked as it stands, what was sent would have a sign of what was received."""
    assert isinstance(await hear_of("sent", invoice=None, sent=1, fees=2_000_000), Unknown)
    assert isinstance(await hear_of("sent", invoice=None, sent=8, fees=8_999), Entry)


@pytest.mark.parametrize("method", ["sent", "outgoing"])
@pytest.mark.parametrize("amount", [f"{MAX_SATS}0m", "9" * 18, "9" * 5_000])
async def test_an_invoice_of_more_than_there_is_counts_by_what_was_sent(
    method: str, amount: str
) -> None:
    _, words = bech32.decode(specimen(None))
    heard = await hear_of(method, invoice=bech32.encode(f"lnbcrt{amount}", words))
    entry = heard[0] if isinstance(heard, list) else heard
    assert isinstance(entry, Entry)
    assert entry.amount == -1_000


@pytest.mark.parametrize("name", ["a\x00b", "x" * 101, "x" * 1_000_000, "two words", "", "\u20bf"])
async def test_a_name_that_is_not_ours_is_none(name: str) -> None:
    """Others may use the node as well; a name of theirs need not fit into our database."""
    heard = await hear_of("incoming", externalId=name)
    assert isinstance(heard, list)
    assert heard[0].external_id is None


OTHER_HASH = "00" * 32
LIES: Mapping[str, Mapping[str, object]] = {
    "another payment": {"paymentHash": OTHER_HASH},
    "another preimage": {"paymentPreimage": OTHER_HASH},
    "no preimage": {"paymentPreimage": None},
    "half a preimage": {"paymentPreimage": "cd" * 31},
    "a preimage in upper case": {"paymentPreimage": "CD" * 32},
    "a number for an id": {"paymentId": 7},
    "an endless id": {"paymentId": "0" * 37},
}


@pytest.mark.parametrize("lie", LIES)
async def test_only_the_preimage_of_this_payment_proves_it(lie: str) -> None:
    heard = await hear_of("pay", **LIES[lie])
    assert isinstance(heard, Unknown)


async def test_a_settled_payment_without_its_preimage_is_not_settled() -> None:
    heard = await hear_of("sent", preimage=None)
    judge_value(heard, b"{}")
    assert isinstance(await hear_of("sent", preimage=OTHER_HASH), Unknown)
