"""Each call is counted once, by its operation and by how it ended."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from forwarder.blink import documents
from forwarder.blink.client import BlinkClient
from forwarder.blink.documents import Operation
from forwarder.blink.errors import BlinkError, Refused
from forwarder.model.calls import Outcome
from forwarder.model.units import PaymentHash
from tests.blink.conftest import Bank


async def test_calls_are_heard_of_once_each(bank: Bank) -> None:
    heard: list[tuple[str, Outcome]] = []

    def observe(operation: str, outcome: Outcome, seconds: float) -> None:
        assert seconds > 0
        heard.append((operation, outcome))

    url = bank.blink.api_url
    async with BlinkClient.connect(url, SecretStr(bank.key), observe) as client:
        await client.btc_wallet()
        with pytest.raises(Refused):  # Blink has no such invoice: an error in a good answer
            await client.cancel_invoice(bank.wallet, PaymentHash("00" * 32))
    async with BlinkClient.connect(url, SecretStr("unknown"), observe) as client:
        with pytest.raises(BlinkError):
            await client.btc_wallet()
    assert heard == [
        ("Wallets", Outcome.ANSWERED),
        ("CancelInvoice", Outcome.REFUSED),
        ("Wallets", Outcome.KEY_REFUSED),
    ]


def test_every_call_over_http_is_named() -> None:
    known = {one.name for one in vars(documents).values() if isinstance(one, Operation)}
    assert known - set(documents.OPERATIONS) == {documents.MY_UPDATES.name}
