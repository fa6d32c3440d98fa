"""The websocket: its protocol, its close codes, its updates, and its faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from forwarder.sandbox import Fault, FaultKind, Sandbox, Timing
from forwarder.sandbox.api import Request
from forwarder.sandbox.messages import Message
from forwarder.sandbox.session import Session
from tests.sandbox.client import SUBPROTOCOL, UPDATES, Clock, Listener, Shop

TRANSFER = """mutation ($input: IntraLedgerPaymentSendInput!) { intraLedgerPaymentSend(
  input: $input) { status } }"""
NOT_AUTHENTICATED = {
    "message": "Not Authenticated for subscription",
    "path": ["myUpdates"],
    "extensions": {"code": "NOT_AUTHENTICATED"},
}


async def raw(world: Shop, *protocols: str) -> Listener:
    return Listener(await world.http.ws_connect(world.sandbox.ws_url, protocols=protocols))


@pytest.fixture
async def impatient() -> AsyncIterator[Shop]:
    """A world whose keep-alive and price events come every few hundredths of a second."""
    clock, timing = Clock(), Timing(ping_period=0.05, price_period=0.05)
    async with Sandbox.serve(clock=clock, timing=timing) as sandbox, ClientSession() as http:
        yield Shop(sandbox, clock, http)


# Protocol


async def test_no_initialisation_in_time_is_4408(world: Shop) -> None:
    assert await (await raw(world, SUBPROTOCOL)).close_code() == 4408


async def test_subscribing_before_the_acknowledgement_is_4401(world: Shop) -> None:
    listener = await raw(world, SUBPROTOCOL)
    await listener.subscribe("1")
    assert await listener.close_code() == 4401


async def test_a_second_initialisation_is_4429(world: Shop) -> None:
    listener = await world.connect()
    await listener.ws.send_json({"type": "connection_init"})
    assert await listener.close_code() == 4429


async def test_an_id_in_use_is_4409(world: Shop) -> None:
    listener = await world.connect()
    await listener.subscribe("1")
    await listener.subscribe("1")
    assert await listener.close_code() == 4409


@pytest.mark.parametrize("text", ["no json", "[]", '{"type": "unknown"}', '{"id": "1"}'])
async def test_a_message_of_no_sense_is_4400(world: Shop, text: str) -> None:
    listener = await world.connect()
    await listener.ws.send_str(text)
    assert await listener.close_code() == 4400


async def test_a_binary_message_or_a_subscription_without_a_name_is_4400(world: Shop) -> None:
    listener = await world.connect()
    await listener.ws.send_bytes(b"x")
    assert await listener.close_code() == 4400
    nameless = await world.connect()
    await nameless.ws.send_json({"type": "subscribe", "payload": {"query": UPDATES}})
    assert await nameless.close_code() == 4400


@pytest.mark.parametrize(
    "message",
    [
        {"type": "connection_init", "payload": []},
        {"type": "connection_init", "payload": {"X-API-KEY": {}}},
    ],
)
async def test_an_initialisation_of_no_sense_does_no_harm(
    world: Shop, message: dict[str, object]
) -> None:
    listener = await raw(world, SUBPROTOCOL)
    await listener.ws.send_json(message)
    if message["payload"]:
        assert await listener.message() == {"type": "connection_ack"}
    else:
        assert await listener.close_code() == 4400


async def test_an_id_is_free_again_once_its_subscription_was_completed(world: Shop) -> None:
    listener = await world.connect()
    for _ in range(3):
        await listener.subscribe("1")
        await listener.ws.send_json({"id": "1", "type": "complete"})
    await listener.subscribe("1")
    assert (await listener.update())["__typename"] == "Price"
    assert world.sandbox.subscriptions == 1


async def test_no_subprotocol_is_4406(world: Shop) -> None:
    assert await (await raw(world)).close_code() == 4406


async def test_another_subprotocol_is_not_agreed_to(world: Shop) -> None:
    listener = await raw(world, "graphql-ws")
    assert listener.ws.protocol is None
    assert await listener.close_code() == 4406


async def test_a_syntax_error_is_4500(world: Shop) -> None:
    listener = await world.connect()
    await listener.subscribe("1", "subscription {")
    assert await listener.close_code() == 4500


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("{ me { id } }", "Only subscription operations are supported"),
        ("subscription { nothing }", "Cannot query field 'nothing'"),
    ],
)
async def test_what_cannot_be_subscribed_to_is_an_error_and_the_socket_stays(
    world: Shop, query: str, text: str
) -> None:
    listener = await world.connect()
    await listener.subscribe("2", query)
    message = await listener.message()
    assert (message["id"], message["type"]) == ("2", "error")
    assert text in message["payload"][0]["message"]
    await listener.silence()


async def test_a_ping_gets_its_payload_back(world: Shop) -> None:
    listener = await world.connect()
    await listener.ws.send_json({"type": "pong"})
    await listener.ws.send_json({"type": "ping", "payload": {"n": 1}})
    assert await listener.message() == {"type": "pong", "payload": {"n": 1}}


@pytest.mark.parametrize("key", [None, "blink_unknown"])
async def test_a_key_that_is_no_good_is_acknowledged_and_fails_at_the_subscription(
    world: Shop, key: str | None
) -> None:
    listener = await world.connect(key)
    await listener.subscribe("1")
    message = await listener.message()
    assert "data" not in message["payload"]
    error = message["payload"]["errors"][0]
    assert {name: error[name] for name in NOT_AUTHENTICATED} == NOT_AUTHENTICATED
    assert await listener.message() == {"id": "1", "type": "complete"}
    await listener.silence()


async def test_the_name_of_the_key_is_case_sensitive_and_authorization_wins(world: Shop) -> None:
    for payload in (
        {"x-api-key": world.key},
        {"X-API-KEY": world.key, "Authorization": "Bearer session"},
    ):
        listener = await raw(world, SUBPROTOCOL)
        await listener.ws.send_json({"type": "connection_init", "payload": payload})
        await listener.message()
        await listener.subscribe("1")
        assert "errors" in (await listener.message())["payload"]


async def test_scopes_do_not_count_and_a_revoked_key_works_on_in_an_open_socket(
    world: Shop,
) -> None:
    key = world.sandbox.create_key(world.shop, ())
    listener = await world.connect(key)
    world.sandbox.revoke_key(key)
    await listener.subscribe("1")
    assert (await listener.update())["__typename"] == "Price"


async def test_wrong_variables_are_told_and_the_socket_stays(world: Shop) -> None:
    listener = await world.connect()
    query = "subscription ($x: Boolean!) { myUpdates { errors { message @include(if: $x) code } } }"
    await listener.subscribe("1", query)
    assert "$x" in (await listener.message())["payload"]["errors"][0]["message"]
    assert (await listener.message())["type"] == "complete"
    await listener.silence()


# Updates


async def test_prices_come_at_once_and_again_and_again(impatient: Shop) -> None:
    listener = await impatient.listen()
    for _ in range(2):
        assert (await listener.update())["__typename"] == "Price"
        assert (await listener.update())["timestamp"] == int(impatient.clock().timestamp())


async def test_a_receipt_is_told_as_blink_tells_it(world: Shop) -> None:
    listener = await world.listen()
    invoice = await world.create(2100, externalId="order-42")
    tx = await world.sandbox.pay(invoice["paymentRequest"])
    message = await listener.message()
    payload = message["payload"]["data"]["myUpdates"]
    assert payload["errors"] == []
    assert payload["me"] == {"id": world.shop.id}
    transaction = payload["update"].pop("transaction")
    assert payload["update"] == {
        "__typename": "LnUpdate",
        "paymentHash": invoice["paymentHash"],
        "status": "PAID",
        "walletId": world.wallet,
    }
    assert transaction["id"] == tx.id
    assert transaction["settlementVia"] == {"__typename": "SettlementViaLn"}
    assert transaction["createdAt"] == {
        "message": "Invalid value for Date",
        "extensions": {"code": "INVALID_INPUT"},
    }


async def test_an_invoice_paid_inside_blink_is_an_ln_update_too(world: Shop) -> None:
    listener = await world.listen()
    customer = world.sandbox.open_account("carol", sats=5000)
    await world.sandbox.pay_from(customer, (await world.create())["paymentRequest"])
    update = await listener.update()
    assert update["__typename"] == "LnUpdate"
    assert update["transaction"]["settlementVia"] == {"__typename": "SettlementViaIntraLedger"}


async def test_a_direct_transfer_is_an_intraledger_update(world: Shop) -> None:
    listener = await world.listen(world.merchant_key)
    values = {"walletId": world.wallet, "recipientWalletId": world.merchant.btc_wallet_id}
    await world.mutate(TRANSFER, **values, amount=100)
    update = await listener.update()
    assert update["__typename"] == "IntraLedgerUpdate"
    assert update["txNotificationType"] == "IntraLedgerReceipt"


async def test_sends_and_refunds_are_not_told(world: Shop) -> None:
    listener = await world.listen()
    payload = await world.send(await world.payout())
    await world.sandbox.refund(payload["transaction"]["id"])
    await listener.silence()


async def test_what_happens_while_nobody_listens_is_never_told(world: Shop) -> None:
    listener = await world.listen()
    await world.sandbox.cut_websockets()
    assert await listener.close_code() == 1006
    await world.sandbox.pay((await world.create())["paymentRequest"])
    again = await world.listen()
    await again.silence()


async def test_every_subscriber_of_an_account_hears_and_no_other(world: Shop) -> None:
    one, other = await world.listen(), await world.listen(world.merchant_key)
    two = await world.listen()
    assert (await one.update())["__typename"] == "Price"  # the first price of the second one
    assert (await one.update())["__typename"] == "RealtimePrice"
    await world.sandbox.pay((await world.create())["paymentRequest"])
    assert (await one.update())["__typename"] == (await two.update())["__typename"] == "LnUpdate"
    await other.silence()


async def test_a_client_ends_its_subscription_without_an_answer(world: Shop) -> None:
    listener = await world.listen()
    assert (world.sandbox.websockets, world.sandbox.subscriptions) == (1, 1)
    await listener.ws.send_json({"id": "1", "type": "complete"})
    await listener.silence()
    assert (world.sandbox.websockets, world.sandbox.subscriptions) == (1, 0)
    await listener.ws.close()
    await asyncio.sleep(0.05)
    assert world.sandbox.websockets == 0


async def test_a_client_that_does_not_answer_pings_is_dropped(impatient: Shop) -> None:
    async with impatient.http.ws_connect(
        impatient.sandbox.ws_url, protocols=[SUBPROTOCOL], autoping=False
    ) as ws:
        await ws.send_json({"type": "connection_init", "payload": {}})
        kinds = [(await ws.receive(timeout=1)).type for _ in range(3)]
        assert kinds[:2] == [WSMsgType.TEXT, WSMsgType.PING]
        assert kinds[2] in (WSMsgType.CLOSED, WSMsgType.ERROR)
        assert ws.close_code == 1006


async def test_a_client_that_answers_pings_stays(impatient: Shop) -> None:
    listener = await impatient.listen()
    for _ in range(8):  # two prices with every ping
        await listener.update()
    assert impatient.sandbox.websockets == 1


async def test_a_frozen_socket_stays_open_and_says_nothing(world: Shop) -> None:
    listener = await world.listen()
    world.sandbox.freeze_websockets()
    await world.sandbox.pay((await world.create())["paymentRequest"])
    await listener.ws.send_json({"type": "ping"})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listener.ws.receive(), 0.1)
    assert world.sandbox.websockets == 1
    await (await world.listen()).silence()


async def test_gql_reads_the_stream_and_its_errors(world: Shop) -> None:
    def transport(key: str) -> WebsocketsTransport:
        payload = {"X-API-KEY": key}
        return WebsocketsTransport(
            world.sandbox.ws_url, subprotocols=[SUBPROTOCOL], init_payload=payload
        )

    async with Client(transport=transport(world.key)) as session:
        async for answer in session.subscribe(gql(UPDATES)):
            assert answer["myUpdates"]["update"]["__typename"] == "Price"
            break
    async with Client(transport=transport("blink_unknown")) as session:
        with pytest.raises(TransportQueryError, match="Not Authenticated"):
            async for _ in session.subscribe(gql(UPDATES)):
                pass


@dataclass
class Pipe:
    """A wire without a socket."""

    sent: list[Message] = field(default_factory=list)
    closed: int | None = None

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def close(self, code: int, reason: str) -> None:
        self.closed = code

    def reset(self) -> None:
        self.closed = 1006


async def test_a_session_needs_no_socket() -> None:
    sandbox, pipe = Sandbox(clock=Clock(), seed=1), Pipe()
    key = sandbox.create_key(sandbox.open_account("alice", sats=5))
    answer = await sandbox.api.answer(Request("{ me { username } }", api_key=key))
    assert json.loads(answer.body) == {"data": {"me": {"username": "alice"}}}
    session = Session(sandbox.api, pipe, Timing())
    await session.receive(json.dumps({"type": "connection_init", "payload": {"X-API-KEY": key}}))
    subscribe = {"id": "1", "type": "subscribe", "payload": {"query": UPDATES}}
    await session.receive(json.dumps(subscribe))
    await asyncio.sleep(0.05)
    assert [message["type"] for message in pipe.sent] == ["connection_ack", "next", "next"]
    await session.receive("nonsense")
    assert pipe.closed == 4400
    await session.stop()
    assert sandbox.subscriptions == 0


# Faults of events


async def paid(world: Shop, *amounts: int) -> None:
    for amount in amounts:
        await world.sandbox.pay((await world.create(amount))["paymentRequest"])


async def amounts(listener: Listener, count: int) -> list[int]:
    updates = [await listener.update() for _ in range(count)]
    return [update["transaction"]["settlementAmount"] for update in updates]


@pytest.mark.parametrize(
    ("kind", "heard"),
    [("drop", [200]), ("duplicate", [100, 100, 100, 200]), ("reorder", [200, 100])],
)
async def test_events_are_lost_repeated_and_reordered(
    world: Shop, kind: FaultKind, heard: list[int]
) -> None:
    listener = await world.listen()
    world.sandbox.faults.add(Fault("event", kind))
    await paid(world, 100, 200)
    assert await amounts(listener, len(heard)) == heard
    await listener.silence()


async def test_an_event_comes_late(world: Shop) -> None:
    listener = await world.listen()
    world.sandbox.faults.add(Fault("event", "delay", seconds=0.05))
    await paid(world, 100, 200)
    assert await amounts(listener, 2) == [200, 100]


async def test_an_event_has_wrong_types_or_is_an_error(world: Shop) -> None:
    listener = await world.listen()
    world.sandbox.faults.add(Fault("event", "malformed"))
    world.sandbox.faults.add(Fault("event", "error"))
    await paid(world, 100, 200, 300)
    malformed = (await listener.update())["transaction"]
    assert (malformed["settlementAmount"], malformed["status"]) == ("many", "MYSTERY")
    broken = (await listener.message())["payload"]
    assert broken["data"] is None
    assert "UnknownPubSubError" in broken["errors"][0]["message"]
    assert await amounts(listener, 1) == [300]


# Faults of websockets


@pytest.mark.parametrize(("kind", "status"), [("refuse", 503), ("http_429", 429)])
async def test_a_handshake_is_refused_and_counted(
    world: Shop, kind: FaultKind, status: int
) -> None:
    world.sandbox.faults.add(Fault("websocket", kind))
    with pytest.raises(WSServerHandshakeError) as caught:
        await world.connect()
    assert caught.value.status == status
    await world.connect()
    assert world.sandbox.handshakes == [world.clock(), world.clock()]


async def test_handshakes_can_be_limited_by_the_minute(world: Shop) -> None:
    world.sandbox.limit_handshakes(2)
    for _ in range(2):
        await world.connect()
    with pytest.raises(WSServerHandshakeError):
        await world.connect()
    world.clock.advance(minutes=1)
    await world.connect()


async def init(world: Shop, fault: Fault) -> Listener:
    """A websocket that has asked to be acknowledged, and meets a fault."""
    world.sandbox.faults.add(fault)
    listener = await raw(world, SUBPROTOCOL)
    payload = {"X-API-KEY": world.key}
    await listener.ws.send_json({"type": "connection_init", "payload": payload})
    return listener


async def test_the_acknowledgement_never_comes(world: Shop) -> None:
    listener = await init(world, Fault("websocket", "no_ack"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listener.ws.receive(), 0.15)


async def test_the_acknowledgement_comes_late(world: Shop) -> None:
    listener = await init(world, Fault("websocket", "late_ack", seconds=0.1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listener.ws.receive(), 0.05)
    listener = await init(world, Fault("websocket", "late_ack", seconds=0.05))
    assert (await listener.message())["type"] == "connection_ack"


async def test_the_socket_drops_before_the_acknowledgement(world: Shop) -> None:
    listener = await init(world, Fault("websocket", "drop_before_ack"))
    assert await listener.close_code() == 1006


async def test_a_good_key_is_not_authenticated(world: Shop) -> None:
    listener = await init(world, Fault("websocket", "not_authenticated"))
    assert (await listener.message())["type"] == "connection_ack"
    await listener.subscribe("1")
    assert "errors" in (await listener.message())["payload"]
    assert (await listener.message())["type"] == "complete"


async def test_the_first_event_never_comes_and_later_ones_do(world: Shop) -> None:
    listener = await init(world, Fault("websocket", "no_first_event", account=world.shop.id))
    await listener.message()
    await listener.subscribe("1")
    await asyncio.sleep(0.05)
    await paid(world, 100)
    assert await amounts(listener, 1) == [100]


async def test_the_server_closes_with_a_code_or_completes(world: Shop) -> None:
    closing = await init(world, Fault("websocket", "close", code=1012, seconds=0.03))
    await closing.message()
    await closing.subscribe("1")
    assert [(await closing.update())["__typename"] for _ in range(2)] == ["Price", "RealtimePrice"]
    assert await closing.close_code() == 1012
    cut = await init(world, Fault("websocket", "close", code=1006))
    await cut.message()
    await cut.subscribe("1")
    assert await cut.close_code() == 1006
    completing = await init(world, Fault("websocket", "complete", seconds=0.0))
    await completing.message()
    await completing.subscribe("7")
    assert await completing.message() == {"id": "7", "type": "complete"}
    await completing.silence()
    assert world.sandbox.subscriptions == 0
