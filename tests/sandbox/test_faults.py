"""Each fault over HTTP: what the client sees, and whether anything happened."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientError, ClientPayloadError

from forwarder.sandbox import Fault, FaultKind, faults
from forwarder.sandbox.answers import garble
from forwarder.sandbox.faults import KINDS
from tests.sandbox.client import CREATE, SEND, Shop

SEND_FIELD = "lnInvoicePaymentSend"


async def send_raw(world: Shop, request: str) -> tuple[int, str]:
    variables = {"input": {"walletId": world.wallet, "paymentRequest": request}}
    return await world.post(SEND, variables)


def sends(world: Shop) -> int:
    return len(world.sandbox.sends(world.wallet))


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("http_500", 500, "500 Internal Server Error"),
        ("http_502_html", 502, "502 Bad Gateway"),
        ("http_503", 503, "503 Service Temporarily Unavailable"),
        ("http_429", 429, "429 Too Many Requests"),
        ("graphql_error", 200, '{"errors": [{"message": "Internal server error"}]}'),
    ],
)
async def test_what_the_gateway_answers_itself_is_not_executed(
    world: Shop, kind: FaultKind, status: int, text: str
) -> None:
    request = await world.payout()
    world.sandbox.faults.add(Fault(SEND_FIELD, kind))
    answered = await send_raw(world, request)
    assert answered[0] == status
    assert text in answered[1]
    assert sends(world) == 0
    assert world.sandbox.calls[-1].outcome == f"faulted:{kind}"
    assert (await world.send(request))["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("kind", "executed"), [("refuse", 0), ("lost_answer", 1), ("half_answer", 1)]
)
async def test_a_broken_connection_tells_nothing_of_what_happened(
    world: Shop, kind: FaultKind, executed: int
) -> None:
    request = await world.payout()
    world.sandbox.faults.add(Fault(SEND_FIELD, kind))
    with pytest.raises(ClientPayloadError if kind == "half_answer" else ClientError):
        await send_raw(world, request)
    assert sends(world) == executed


async def test_no_answer_ever_and_nothing_executed(world: Shop) -> None:
    request = await world.payout()
    world.sandbox.faults.add(Fault(SEND_FIELD, "timeout_before"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send_raw(world, request), 0.1)
    assert sends(world) == 0


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("html_200", 200, "<html>"),
        ("executed_then_500", 500, "500 Internal Server Error"),
        ("executed_then_graphql_error", 200, '{"errors": [{"message": "Internal server error"}]}'),
        ("null_data", 200, '{"data": null}'),
        ("garbage", 200, '"status": "MYSTERY"'),
    ],
)
async def test_a_spoilt_answer_comes_after_the_execution(
    world: Shop, kind: FaultKind, status: int, text: str
) -> None:
    world.sandbox.faults.add(Fault(SEND_FIELD, kind))
    answered = await send_raw(world, await world.payout())
    assert answered[0] == status
    assert text in answered[1]
    assert sends(world) == 1


@pytest.mark.parametrize(("kind", "executed"), [("slow", 0), ("late_answer", 1)])
async def test_slow_is_late_before_and_late_answer_after_the_execution(
    world: Shop, kind: FaultKind, executed: int
) -> None:
    request = await world.payout()
    world.sandbox.faults.add(Fault(SEND_FIELD, kind, seconds=0.15))
    sending = asyncio.create_task(world.send(request))
    await asyncio.sleep(0.08)
    assert sends(world) == executed
    assert not sending.done()
    assert (await sending)["status"] == "SUCCESS"


async def test_a_client_that_gives_up_does_not_undo_the_payment(world: Shop) -> None:
    request = await world.payout()
    world.sandbox.faults.add(Fault(SEND_FIELD, "slow", seconds=0.1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send_raw(world, request), 0.05)
    await asyncio.sleep(0.15)
    assert sends(world) == 1


async def test_failure_after_commit_moves_money_and_says_failure(world: Shop) -> None:
    listener = await world.listen(world.merchant_key)
    request = await world.payout()
    world.sandbox.faults.add(Fault(SEND_FIELD, "failure_after_commit"))
    payload = await world.send(request)
    assert (payload["status"], payload["transaction"]) == ("FAILURE", None)
    assert payload["errors"][0]["code"] == "UNEXPECTED_CLIENT_ERROR"
    assert sends(world) == 1
    await listener.silence()
    retried = await world.send(request)
    assert retried["status"] == "ALREADY_PAID"
    assert retried["transaction"]["id"] == world.sandbox.sends(world.wallet)[0].id


async def test_failure_without_effect_says_what_it_is_told_to(world: Shop) -> None:
    fault = Fault(SEND_FIELD, "failure_no_effect", code="DB_ERROR", message="Service offline")
    world.sandbox.faults.add(fault)
    payload = await world.send(await world.payout())
    assert payload["status"] == "FAILURE"
    assert payload["errors"] == [{"code": "DB_ERROR", "message": "Service offline"}]
    assert sends(world) == 0


@pytest.mark.parametrize(
    ("kind", "code", "text"),
    [
        ("too_many_requests", "TOO_MANY_REQUEST", "Too many invoices creation"),
        ("lock_busy", "UNEXPECTED_CLIENT_ERROR", "ResourceAttemptsRedlockServiceError"),
    ],
)
async def test_refusals_are_payload_errors(
    world: Shop, kind: FaultKind, code: str, text: str
) -> None:
    world.sandbox.faults.add(Fault("lnInvoiceCreate", kind))
    payload = await world.mutate(CREATE, walletId=world.wallet, amount=5)
    assert payload["invoice"] is None
    assert payload["errors"][0]["code"] == code
    assert text in payload["errors"][0]["message"]
    assert world.sandbox.invoices(world.wallet) == []


async def test_pending_then_success_settles_a_payment_inside_blink(world: Shop) -> None:
    request = await world.payout()
    world.sandbox.faults.add(Fault(SEND_FIELD, "pending_then_success", seconds=0.05))
    payload = await world.send(request)
    assert (payload["status"], payload["transaction"]["status"]) == ("PENDING", "PENDING")
    assert world.sandbox.balance(world.merchant.btc_wallet_id) == 0
    await asyncio.sleep(0.1)
    assert sends(world) == 1
    assert world.sandbox.balance(world.merchant.btc_wallet_id) == 2100


async def test_a_pending_payment_is_reversed_when_somebody_else_paid_meanwhile(
    world: Shop,
) -> None:
    request = await world.payout()
    world.sandbox.faults.add(Fault(SEND_FIELD, "pending_then_success", seconds=0.05))
    await world.send(request)
    await world.sandbox.pay(request)
    await asyncio.sleep(0.1)
    assert sends(world) == 0
    assert world.sandbox.balance(world.wallet) == 1_000_000
    assert world.sandbox.balance(world.merchant.btc_wallet_id) == 2100


async def test_paid_by_somebody_else_just_before_us(world: Shop) -> None:
    world.sandbox.faults.add(Fault(SEND_FIELD, "already_paid_elsewhere"))
    payload = await world.send(await world.payout())
    assert payload == {"errors": [], "status": "ALREADY_PAID", "transaction": None}
    assert sends(world) == 0
    assert world.sandbox.balance(world.merchant.btc_wallet_id) == 2100


async def test_success_may_lack_its_transaction(world: Shop) -> None:
    world.sandbox.faults.add(Fault(SEND_FIELD, "success_without_transaction"))
    payload = await world.send(await world.payout())
    assert payload == {"errors": [], "status": "SUCCESS", "transaction": None}
    assert sends(world) == 1


async def test_an_invoice_can_be_paid_before_its_creation_is_answered(world: Shop) -> None:
    listener = await world.listen()
    world.sandbox.faults.add(Fault("lnInvoiceCreate", "paid_before_answer", seconds=0.1))
    creating = asyncio.create_task(world.create(300))
    update = await listener.update()
    assert not creating.done()
    assert update["paymentHash"] == (await creating)["paymentHash"]
    assert update["transaction"]["settlementAmount"] == 300


async def fire(world: Shop, count: int, key: str | None = "") -> list[bool]:
    """Whether each of so many calls was answered by the gateway."""
    answers = [await world.post("{ me { id } }", key=key) for _ in range(count)]
    return [status == 503 for status, _ in answers]


async def test_a_fault_strikes_as_often_and_as_late_as_it_says(world: Shop) -> None:
    world.sandbox.faults.add(Fault("me", "http_503", times=2, after=1))
    assert await fire(world, 5) == [False, True, True, False, False]
    world.sandbox.faults.add(Fault("*", "http_503", times=None))
    assert await fire(world, 3) == [True] * 3
    world.sandbox.faults.clear()
    assert await fire(world, 1) == [False]
    assert len(world.sandbox.faults.fired) == 5


async def test_a_fault_can_be_meant_for_one_account(world: Shop) -> None:
    world.sandbox.faults.add(Fault("me", "http_503", account=world.merchant.id))
    assert await fire(world, 1) == [False]
    assert await fire(world, 1, world.merchant_key) == [True]


async def test_chance_is_replayable(world: Shop) -> None:
    world.sandbox.faults.add(Fault("me", "http_503", times=None, probability=0.5))
    struck = await fire(world, 30)
    assert 5 < sum(struck) < 25


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("event", "http_500"),
        ("websocket", "drop"),
        ("lnInvoiceCreate", "no_ack"),
        ("me", "failure_after_commit"),
        ("lnInvoicePaymentSend", "paid_before_answer"),
        ("*", "no such kind"),
    ],
)
def test_a_fault_that_cannot_happen_cannot_be_made(operation: str, kind: FaultKind) -> None:
    with pytest.raises(ValueError, match="cannot happen"):
        Fault(operation, kind)


def test_garbage_keeps_the_shape_and_nothing_else() -> None:
    value = {"__typename": "A", "b": True, "c": None, "d": [1, 2.5, "PAID", "text"]}
    assert garble(value) == {
        "__typename": "A",
        "b": "perhaps",
        "c": 0,
        "d": ["many", "many", "MYSTERY", 4],
    }


def test_every_kind_is_described_where_faults_are_explained() -> None:
    described = (faults.__doc__ or "").replace(",", " ").split()
    for kinds in KINDS.values():
        assert kinds <= set(described)


async def test_the_star_touches_only_what_its_kind_can_touch(world: Shop) -> None:
    armed = world.sandbox.faults
    armed.add(Fault("*", "refuse", times=None))
    assert armed.take("event", "event", None) is None
    assert armed.take("socket", "websocket", None) is None
    assert armed.take("http", "me", None)
    assert armed.take("handshake", "websocket", None)
