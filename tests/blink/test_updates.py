"""The subscription: every event is understood or a gap, and every end is told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from forwarder.blink import documents, updates
from forwarder.blink.errors import Disconnected
from forwarder.blink.updates import Gap, Settled, SignOfLife, Update, Updates
from forwarder.model.ledger import Direction
from forwarder.sandbox import Fault
from forwarder.sandbox.invoices import InvoiceOrder
from tests.blink.conftest import Bank, Odd

KEY = SecretStr("canary-key")


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(bank: Bank) -> AsyncIterator[AsyncIterator[Update]]:
    """The events of a live subscription, after its two first ones, the prices."""
    async with (
        Updates.connect(bank.blink.ws_url, SecretStr(bank.key)) as connection,
        aclosing(aiter(connection)) as events,  # type: ignore[type-var]
    ):
        assert await anext(events) == SignOfLife()
        assert await anext(events) == SignOfLife()
        yield events


async def listen(bank: Bank, count: int = 1) -> None:
    """Wait for as many events."""
    async with listening(bank) as events:
        for _ in range(count):
            await anext(events)


async def listen_with(url: str, key: SecretStr) -> None:
    """Wait for an event with this key."""
    async with (
        Updates.connect(url, key) as connection,
        aclosing(aiter(connection)) as events,  # type: ignore[type-var]
    ):
        await anext(events)


def receive(bank: Bank, sats: int = 1_000) -> str:
    """A payment of an invoice; its hash."""
    made = bank.blink.bank.invoices.create(InvoiceOrder(bank.wallet, sats, "Sale", 15))
    bank.blink.bank.settlement.receive(made, sats)
    return made.payment_hash


async def test_a_payment_is_told_with_its_hash_and_amount(bank: Bank) -> None:
    async with listening(bank) as events:
        payment_hash = receive(bank, 1_234)
        update = await anext(events)
    assert isinstance(update, Settled)
    assert (update.entry.payment_hash, update.entry.amount) == (payment_hash, 1_234)
    assert update.entry.direction is Direction.RECEIVE
    assert update.entry.receipt() is not None
    assert update.entry.id == bank.blink.transactions(bank.wallet)[0].id


async def test_nothing_is_subscribed_before_somebody_listens(bank: Bank) -> None:
    async with Updates.connect(bank.blink.ws_url, SecretStr(bank.key)) as connection:
        assert (bank.blink.websockets, bank.blink.subscriptions) == (1, 0)
        async with aclosing(aiter(connection)) as events:  # type: ignore[type-var]
            await anext(events)
            assert bank.blink.subscriptions == 1
    await until(lambda: bank.blink.websockets == 0)


async def test_what_happens_before_the_subscription_is_not_told(bank: Bank) -> None:
    receive(bank)
    async with listening(bank) as events:
        expected = receive(bank)
        update = await anext(events)
    assert isinstance(update, Settled)
    assert update.entry.payment_hash == expected


async def test_an_event_that_is_malformed_is_a_gap_and_the_next_one_is_read(bank: Bank) -> None:
    async with listening(bank) as events:
        bank.blink.faults.add(Fault("event", "malformed"))
        receive(bank)
        assert isinstance(await anext(events), Gap)
        receive(bank)
        assert isinstance(await anext(events), Settled)


async def test_an_event_with_an_error_ends_the_subscription(bank: Bank) -> None:
    async with listening(bank) as events:
        bank.blink.faults.add(Fault("event", "error"))
        receive(bank)
        with pytest.raises(Disconnected, match="answered the subscription with an error"):
            await anext(events)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault("websocket", "complete", seconds=0.05), "Blink ended the subscription"),
        (Fault("websocket", "close", seconds=0.05, code=1001), "1001"),
        (Fault("websocket", "close", seconds=0.05, code=4401, message="Unauthorized"), "4401"),
        (Fault("websocket", "close", seconds=0.05, code=1006), "no close frame"),
    ],
)
async def test_an_end_is_told_with_its_reason(bank: Bank, fault: Fault, why: str) -> None:
    bank.blink.faults.add(fault)
    with pytest.raises(Disconnected, match=why):
        await listen(bank)


async def test_a_connection_that_is_cut_is_told_of(bank: Bank) -> None:
    async with listening(bank) as events:
        cutting = asyncio.create_task(bank.blink.cut_websockets())
        with pytest.raises(Disconnected):
            await anext(events)
        await cutting


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault("websocket", "refuse"), "503"),
        (Fault("websocket", "http_429"), "429"),
        (Fault("websocket", "drop_before_ack"), "Error"),
        (Fault("websocket", "no_ack"), "in time"),
    ],
)
async def test_a_connection_that_cannot_be_had_is_told_of_and_leaves_nothing_open(
    bank: Bank, fault: Fault, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "CONNECT_SECONDS", 0.1)
    bank.blink.faults.add(fault)
    with pytest.raises(Disconnected, match=why):
        await listen(bank)
    await until(lambda: bank.blink.websockets == 0)


async def test_who_is_not_there_is_told_of(unused_tcp_port: int) -> None:
    with pytest.raises(Disconnected):
        await listen_with(f"ws://127.0.0.1:{unused_tcp_port}/graphql", KEY)


async def test_a_key_that_blink_does_not_know_is_told_of(bank: Bank) -> None:
    with pytest.raises(Disconnected, match="Not Authenticated"):
        await listen_with(bank.blink.ws_url, KEY)


async def test_a_peer_that_has_gone_silent_is_noticed(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("PING", 0.1), ("PONG", 0.1), ("CLOSE", 0.1)):
        monkeypatch.setattr(updates, f"{name}_SECONDS", seconds)
    begun = time.monotonic()
    async with listening(bank) as events:
        bank.blink.freeze_websockets()
        with pytest.raises(Disconnected, match="pong"):
            await anext(events)
    assert time.monotonic() - begun < 3
    await bank.blink.cut_websockets()


async def test_a_healthy_subscription_outlives_its_pings(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "PING_SECONDS", 0.02)
    monkeypatch.setattr(updates, "PONG_SECONDS", 1.0)
    async with listening(bank) as events:
        await asyncio.sleep(0.2)
        receive(bank)
        assert isinstance(await anext(events), Settled)


async def test_who_is_cancelled_before_the_acknowledgement_leaves_no_socket_open(
    bank: Bank,
) -> None:
    bank.blink.faults.add(Fault("websocket", "no_ack"))

    async def connect() -> None:
        async with Updates.connect(bank.blink.ws_url, SecretStr(bank.key)):
            pass

    connecting = asyncio.create_task(connect())
    await until(lambda: bank.blink.websockets == 1)
    connecting.cancel()
    # On the way through several libraries a cancellation now and then becomes a time-out.
    with pytest.raises((asyncio.CancelledError, Disconnected)):
        await connecting
    await until(lambda: bank.blink.websockets == 0)


async def test_the_api_key_is_in_no_log(bank: Bank, logged: pytest.LogCaptureFixture) -> None:
    bank.blink.faults.add(Fault("websocket", "close", seconds=0.02, code=4403))
    async with listening(bank) as events:
        receive(bank)
        assert isinstance(await anext(events), Settled)
        with pytest.raises(Disconnected):
            await anext(events)
    with pytest.raises(Disconnected):
        await listen_with(bank.blink.ws_url, KEY)
    assert bank.key not in logged.text
    assert "canary" not in logged.text


# Whatever a server may send


def feeding(*payloads: object) -> Callable[[web.Request], Any]:
    """A server that acknowledges, and answers a subscription with these payloads, then ends it."""

    async def serve(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("graphql-transport-ws",))
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            asked = json.loads(message.data)
            if asked["type"] == "connection_init":
                await socket.send_json({"type": "connection_ack"})
            elif asked["type"] == "subscribe":
                for payload in payloads:
                    await socket.send_json({"type": "next", "id": asked["id"], "payload": payload})
                await socket.send_json({"type": "complete", "id": asked["id"]})
        return socket

    return serve


async def read_all(odd: Odd) -> list[Update]:
    """Every event until the end, which must be told."""
    url = odd.url.replace("http", "ws", 1)
    read: list[Update] = []

    async def read_on() -> None:
        async with Updates.connect(url, KEY) as connection:
            async for update in connection:
                read.append(update)  # what was read before the end counts

    with pytest.raises(Disconnected):
        await read_on()
    return read


def event(**update: object) -> dict[str, Any]:
    return {"data": {"myUpdates": {"errors": [], "update": update}}}


TRANSACTION: dict[str, Any] = {
    "id": "655cd1926445716f60b89418",
    "direction": "RECEIVE",
    "status": "SUCCESS",
    "settlementAmount": 1_000,
    "settlementCurrency": "BTC",
    "externalId": None,
    "initiationVia": {"__typename": "InitiationViaLn", "paymentHash": "ab" * 32},
}
if "paymentRequest" in documents.MY_UPDATES.payload["query"]:
    TRANSACTION["initiationVia"]["paymentRequest"] = "lnbcrt1something"


def ln_update(**changes: object) -> dict[str, Any]:
    return event(__typename="LnUpdate", status="PAID", transaction={**TRANSACTION, **changes})


BROKEN: list[dict[str, Any]] = [
    {"data": None},
    {"data": {}},
    {"data": {"myUpdates": None}},
    {"data": {"myUpdates": {"errors": []}}},
    {"data": {"myUpdates": {"update": None}}},
    event(__typename="LnUpdate"),
    event(__typename="LnUpdate", status="LOST", transaction=TRANSACTION),
    event(__typename="SomethingNew"),
    event(),
    ln_update(settlementAmount="1000"),
    ln_update(settlementAmount=1000.0),
    ln_update(settlementAmount=True),
    ln_update(settlementAmount=None),
    ln_update(direction="SIDEWAYS"),
    ln_update(status="MAYBE"),
    ln_update(id=""),
    ln_update(id=5),
    ln_update(settlementCurrency="EUR"),
    ln_update(initiationVia=None),
    ln_update(initiationVia={"__typename": "InitiationViaLn", "paymentHash": "AB" * 32}),
    ln_update(initiationVia={"__typename": "InitiationViaPigeon"}),
]


@pytest.mark.parametrize("broken", BROKEN[1:], ids=repr)
async def test_an_event_that_is_not_understood_may_have_been_a_payment(
    odd: Odd, broken: dict[str, Any]
) -> None:
    odd.answer = feeding(broken, event(__typename="Price"))
    first, second = await read_all(odd)
    assert isinstance(first, Gap)
    assert second == SignOfLife()


@pytest.mark.parametrize(
    "harmless",
    [
        event(__typename="Price"),
        event(__typename="RealtimePrice"),
        event(__typename="IntraLedgerUpdate"),
        event(__typename="OnChainUpdate"),
        {"data": {"myUpdates": {"errors": [{"message": "deprecated"}], "update": None}}},
        ln_update(settlementCurrency="USD"),
    ],
    ids=repr,
)
async def test_what_is_no_payment_in_bitcoin_is_a_sign_of_life(
    odd: Odd, harmless: dict[str, Any]
) -> None:
    odd.answer = feeding(harmless)
    assert await read_all(odd) == [SignOfLife()]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
PARTS = st.fixed_dictionaries({}, optional={"errors": JSON, "update": JSON, "__typename": JSON})


@given(
    st.lists(
        JSON
        | st.builds(lambda part: {"data": part}, st.dictionaries(st.text(max_size=8), JSON))
        | st.builds(lambda part: {"data": {"myUpdates": part}}, JSON | PARTS)
        | st.builds(
            lambda part: ln_update(**part),
            st.dictionaries(st.sampled_from(sorted(TRANSACTION)), JSON, min_size=1),
        ),
        max_size=3,
    )
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_whatever_is_sent_is_an_update_or_the_end(odd: Odd, payloads: list[object]) -> None:
    odd.answer = feeding(*payloads)
    for update in await read_all(odd):
        assert isinstance(update, Gap | SignOfLife | Settled)
