"""Each call is counted once, by its operation and by how it ended."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from forwarder.blink import documents
from forwarder.blink.client import BlinkClient
from forwarder.blink.documents import Operation
from forwarder.blink.errors import BlinkError, Disconnected, NeverSent, Refused, Unknown
from forwarder.blink.outcomes import Outcome, outcome_of
from forwarder.model.refusal import KEY_REFUSED, NOT_AUTHORIZED, THROTTLED, TOO_MANY, Refusal
from forwarder.model.units import PaymentHash
from tests.blink.conftest import Bank


@pytest.mark.parametrize(
    ("ended", "outcome"),
    [
        (NeverSent(""), Outcome.NEVER_SENT),
        (Unknown(""), Outcome.UNKNOWN),
        (Disconnected(""), Outcome.UNKNOWN),
        (Refused(Refusal("RECEIVE_DISABLED", "no")), Outcome.REFUSED),
        (Refused(Refusal(None, "no")), Outcome.REFUSED),
        (Refused(Refusal(KEY_REFUSED, "no")), Outcome.KEY_REFUSED),
        (Refused(Refusal(NOT_AUTHORIZED, "no")), Outcome.KEY_REFUSED),
        (Refused(Refusal(THROTTLED, "no")), Outcome.THROTTLED),
        (Refused(Refusal(TOO_MANY, "no")), Outcome.THROTTLED),
        ([], Outcome.ANSWERED),
    ],
)
def test_every_end_has_its_name(ended: object, outcome: Outcome) -> None:
    assert outcome_of(ended) is outcome


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
