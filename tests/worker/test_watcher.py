"""The watch on Blink: open exactly while something is pending, and within the handshake budget."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from forwarder.model import handshakes as budget
from forwarder.model.invoice import InvoiceState
from forwarder.store import payments
from forwarder.worker import backoff, subscription, watcher
from forwarder.worker.watcher import State
from tests.worker.conftest import READ, Shop, running, until


async def is_open(shop: Shop) -> None:
    await until(lambda: shop.watcher.watch.state is State.OPEN and shop.blink.subscriptions == 1)


async def is_closed(shop: Shop) -> None:
    await until(lambda: shop.watcher.watch.state is State.CLOSED and shop.blink.websockets == 0)


async def test_it_is_open_while_an_invoice_is_pending_and_pages_are_told(shop: Shop) -> None:
    async with running(shop.watcher.run):
        await asyncio.sleep(0.02)
        assert shop.blink.websockets == 0
        invoice = await shop.sell()
        await is_open(shop)
        await shop.pay(invoice)
        await is_closed(shop)
        assert shop.page.kinds == ["payment"]
        assert shop.page.watch[-1] == "closed"
        assert shop.watcher.watch.opens == 1
        assert shop.watcher.watch.last_event_at == shop.clock()


async def test_it_is_open_beside_the_making_of_an_invoice_and_closes_if_none_is_made(
    shop: Shop,
) -> None:
    async with running(shop.watcher.run):
        with shop.watcher.expecting():
            await is_open(shop)
            with shop.watcher.expecting():
                pass
        await is_closed(shop)


async def test_it_asks_for_what_was_paid_before_it_was_open(shop: Shop) -> None:
    invoice = await shop.sell()
    await shop.pay(invoice)
    async with running(shop.watcher.run):
        await until(lambda: shop.page.kinds == ["payment"])
        await is_closed(shop)


async def test_it_asks_only_once_the_subscription_is_live(shop: Shop) -> None:
    """Asking first and subscribing then would lose what is paid in between."""
    await shop.sell()
    subscribed: list[int] = []
    async with running(shop.watcher.run):
        await until(lambda: READ in shop.operations(shop.pos)[2:] or shop.blink.subscriptions == 1)
        subscribed.append(shop.blink.subscriptions)
        await is_open(shop)
    assert subscribed == [1]


async def test_a_subscription_without_a_first_event_is_used_all_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(subscription, "FIRST_EVENT_SECONDS", 0.02)
    shop.fault("websocket", "no_first_event")
    invoice = await shop.sell()
    async with running(shop.watcher.run):
        await is_open(shop)
        await shop.pay(invoice)
        await until(lambda: shop.page.kinds == ["payment"])
    assert "no price after subscribing" in logged.text


async def test_an_event_that_is_not_understood_is_made_up_for_by_asking(shop: Shop) -> None:
    invoice, other = await shop.sell(), await shop.sell()
    async with running(shop.watcher.run):
        await is_open(shop)
        await asyncio.sleep(0.05)
        shop.fault("event", "malformed")
        await shop.pay(invoice)
        await until(lambda: shop.page.kinds == ["payment"])
        assert await shop.state(other) is InvoiceState.PENDING


async def test_an_event_that_is_lost_is_found_by_looking_now_and_then(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "LOOK_SECONDS", 0.1)
    invoice = await shop.sell()
    async with running(shop.watcher.run):
        await is_open(shop)
        shop.fault("event", "drop")
        await shop.pay(invoice)
        await until(lambda: shop.page.kinds == ["payment"])


async def test_a_connection_that_breaks_is_made_again(
    shop: Shop, logged: pytest.LogCaptureFixture
) -> None:
    invoice = await shop.sell()
    async with running(shop.watcher.run):
        await is_open(shop)
        await shop.blink.cut_websockets()
        await until(lambda: "the subscription failed" in logged.text)
        await shop.pay(invoice)
        await until(lambda: shop.page.kinds == ["payment"])


async def test_without_a_subscription_blink_is_asked_although_asking_can_fail(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watcher, "BLIND_LOOK_SECONDS", 0.02)
    shop.fault("websocket", "refuse", times=None)
    invoice = await shop.sell()
    shop.fault(READ, "http_503", account=shop.pos.id)
    async with running(shop.watcher.run):
        await shop.pay(invoice)
        await until(lambda: shop.page.kinds == ["payment"])
        await is_closed(shop)
    assert "could not be asked what was missed" in logged.text


async def test_a_subscription_that_was_healthy_for_long_is_made_again_soon(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "HEALTHY_SECONDS", 0.0)
    await shop.sell()
    async with running(shop.watcher.run):
        for opens in range(1, 4):
            await until(lambda opens=opens: shop.watcher.watch.opens == opens)  # type: ignore[misc]
            await is_open(shop)
            await shop.blink.cut_websockets()


# The budget of handshakes


async def take(shop: Shop, count: int) -> list[float]:
    return [await shop.handshakes.take() for _ in range(count)]


async def test_ten_handshakes_a_minute_are_given_and_no_more(shop: Shop) -> None:
    assert await take(shop, 11) == [0.0] * 10 + [60.0]
    shop.clock.advance(59)
    assert await take(shop, 1) == [1.0]
    shop.clock.advance(1)
    assert await take(shop, 10) == [0.0] * 10


async def test_many_who_take_at_once_get_ten(shop: Shop) -> None:
    taken = await asyncio.gather(*(shop.handshakes.take() for _ in range(25)))
    assert taken.count(0.0) == 10


async def test_lingering_begins_when_handshakes_get_scarce(shop: Shop) -> None:
    lingering = []
    for _ in range(10):
        lingering.append(await shop.handshakes.linger_seconds())
        await shop.handshakes.take()
    assert lingering[:6] == [0.0] * 6
    assert all(0 < seconds <= 5 for seconds in lingering[6:])
    assert await shop.handshakes.linger_seconds() == 60


async def test_an_idle_subscription_lingers_when_handshakes_are_scarce(shop: Shop) -> None:
    await take(shop, 6)
    async with running(shop.watcher.run):
        first = await shop.sell()
        await is_open(shop)
        await shop.sales.cancel(first)
        await asyncio.sleep(0.1)
        assert shop.blink.websockets == 1
        second = await shop.sell()
        await shop.pay(second)
        await until(lambda: shop.page.kinds == ["cancelled", "payment"])
        assert len(shop.blink.handshakes) == 1


async def test_when_the_budget_is_used_up_blink_is_asked_instead(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watcher, "BLIND_LOOK_SECONDS", 0.02)
    await take(shop, budget.LIMIT)
    invoice = await shop.sell()
    async with running(shop.watcher.run):
        await shop.pay(invoice)
        await until(lambda: shop.page.kinds == ["payment"])
    assert shop.blink.handshakes == []
    assert "the budget of handshakes is used up" in logged.text


async def test_the_budget_frees_itself_with_time(shop: Shop) -> None:
    await take(shop, 10)
    shop.clock.advance(timedelta(minutes=1).total_seconds())
    await shop.sell()
    async with running(shop.watcher.run):
        await is_open(shop)


async def test_a_handshake_is_waited_for_until_the_budget_has_one(shop: Shop) -> None:
    await take(shop, budget.LIMIT)
    shop.clock.advance(budget.WINDOW.total_seconds() - 0.01)
    await shop.sell()
    async with running(shop.watcher.run):
        await until(lambda: shop.watcher.watch.state is State.CONNECTING)
        await asyncio.sleep(0.05)  # it has asked again meanwhile
        assert shop.blink.handshakes == []
        shop.clock.advance(0.01)
        await is_open(shop)


async def test_no_handshake_is_spent_on_what_is_over_when_there_is_one_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "BLIND_LOOK_SECONDS", 0.02)
    await take(shop, budget.LIMIT)
    invoice = await shop.sell()
    async with running(shop.watcher.run):
        await until(lambda: shop.watcher.watch.state is State.CONNECTING)
        await shop.sales.cancel(invoice)
        await until(lambda: shop.watcher.watch.state is State.CLOSED)
    assert shop.blink.handshakes == []


async def test_an_idle_subscription_lingers_whatever_rings(shop: Shop) -> None:
    await take(shop, 6)
    invoice = await shop.sell()
    async with running(shop.watcher.run):
        await is_open(shop)
        await shop.sales.cancel(invoice)
        for _ in range(3):
            await asyncio.sleep(0.02)
            shop.watcher_bell.ring()
        await asyncio.sleep(0.02)
        assert (shop.blink.websockets, len(shop.blink.handshakes)) == (1, 1)


async def test_an_event_of_what_has_not_settled_is_no_payment(shop: Shop) -> None:
    paid, waiting = await shop.sell(), await shop.sell()
    async with running(shop.watcher.run):
        await is_open(shop)
        await shop.pay(paid)
        await until(lambda: shop.page.kinds == ["payment"])
        (tx,) = shop.blink.receipts(shop.pos.btc_wallet_id)
        early = replace(tx, status="PENDING", payment_hash=waiting.payment_hash)
        shop.blink.bank.updates.publish_receipt(shop.pos, early)
        await shop.pay(waiting)
        await until(lambda: len(shop.page.told) == 2)
    async with shop.database.reading() as reading:
        taken = await payments.find(reading, waiting.payment_hash)
    assert taken is not None
    assert taken.transaction_id != tx.id
