"""Each call is counted once, by its operation and by how it ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from pydantic import SecretStr

from forwarder.model.bolt11 import decode
from forwarder.model.calls import Outcome
from forwarder.model.forward import PayoutInvoice
from forwarder.phoenixd import client
from forwarder.phoenixd.client import Call, PhoenixdClient
from forwarder.phoenixd.errors import Refused, Unknown
from forwarder.sandbox import Sandbox
from forwarder.sandbox.phoenixd import NodeFault, Phoenixd

PASSWORD = SecretStr("wrong")


@dataclass
class Counted:
    """A node, and what was heard of the calls to it."""

    blink: Sandbox
    node: Phoenixd
    heard: list[tuple[str, Outcome]] = field(default_factory=list)

    def observe(self, operation: str, outcome: Outcome, seconds: float) -> None:
        assert seconds > 0
        self.heard.append((operation, outcome))


@pytest.fixture
async def counted() -> AsyncIterator[Counted]:
    async with AsyncExitStack() as stack:
        blink = await stack.enter_async_context(Sandbox.serve(seed=7))
        yield Counted(blink, await stack.enter_async_context(Phoenixd.serve(blink, sats=10_000)))


async def test_calls_are_heard_of_once_each(counted: Counted) -> None:
    node = counted.node
    async with PhoenixdClient.connect(
        node.url, SecretStr(node.password), counted.observe
    ) as trusted:
        await trusted.balance()
        node.faults.add(NodeFault("getinfo", "http_500"))
        with pytest.raises(Unknown):
            await trusted.info()
    async with PhoenixdClient.connect(node.url, PASSWORD, counted.observe) as stranger:
        with pytest.raises(Refused):
            await stranger.info()
    assert counted.heard == [
        ("Balance", Outcome.ANSWERED),
        ("Info", Outcome.UNKNOWN),
        ("Info", Outcome.KEY_REFUSED),
    ]


async def test_a_payment_that_failed_is_refused_though_it_was_answered(counted: Counted) -> None:
    node = counted.node
    node.faults.add(NodeFault("payinvoice", "failed"))
    request = counted.blink.outside_invoice(100, expires_in=timedelta(hours=1))
    payout = PayoutInvoice(request, decode(request).payment_hash, counted.blink.bank.clock())
    async with PhoenixdClient.connect(
        node.url, SecretStr(node.password), counted.observe
    ) as trusted:
        await trusted.pay_invoice(payout)
    assert counted.heard == [("PayInvoice", Outcome.REFUSED)]


def test_every_call_is_named() -> None:
    calls = [one for one in vars(client).values() if isinstance(one, Call)]
    assert sorted(call.name for call in calls) == sorted(client.OPERATIONS)
