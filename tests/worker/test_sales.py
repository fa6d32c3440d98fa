"""What a till can do: make an invoice, look at it, cancel it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import pytest
from aiohttp import web

from forwarder.blink.errors import BlinkError, Refused
from forwarder.model.actor import Actor
from forwarder.model.creations import LIMIT
from forwarder.model.errors import Unknown
from forwarder.model.invoice import Invoice, InvoiceState, Order
from forwarder.model.units import Sats
from forwarder.store import invoices
from forwarder.store.orders import OrderConflict
from forwarder.worker import creations
from forwarder.worker.sales import AlreadyPaid
from tests.model.samples import issue
from tests.worker.conftest import CREATE, TOKEN, Shop

ORDER = Order("order-1", Sats(1_000), "coffee", 900)
CANCEL = "lnInvoiceCancel"
PAID, CANCELLED = InvoiceState.PAID, InvoiceState.CANCELLED
EXPIRED: Final = InvoiceState.EXPIRED


@asynccontextmanager
async def answering(invoice: dict[str, Any]) -> AsyncIterator[str]:
    """A Blink that answers every creation with the same invoice."""

    async def answer(_: web.Request) -> web.Response:
        reply = {"errors": [], "invoice": invoice}
        return web.json_response({"data": {"lnInvoiceCreate": reply}})

    application = web.Application()
    application.router.add_post("/graphql", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/graphql"
    await runner.cleanup()


async def test_the_same_order_has_the_same_invoice(shop: Shop) -> None:
    first = await shop.sales.create(shop.seller, ORDER)
    assert await shop.sales.create(shop.seller, ORDER) == first
    assert len(shop.blink.invoices(shop.pos.btc_wallet_id)) == 1
    assert await shop.sales.find(shop.seller, "order-1") == first
    assert await shop.sales.named("order-1") == [first]
    assert await shop.sales.newest(shop.seller, None, 5) == [first]


async def test_another_order_of_the_same_name_is_refused(shop: Shop) -> None:
    await shop.sales.create(shop.seller, ORDER)
    with pytest.raises(OrderConflict):
        await shop.sales.create(shop.seller, Order("order-1", Sats(999), "coffee", 900))


async def test_an_order_given_twice_at_once_has_one_invoice(shop: Shop) -> None:
    both = await asyncio.gather(*(shop.sales.create(shop.seller, ORDER) for _ in range(2)))
    assert both[0] == both[1]


async def test_what_other_processes_have_asked_for_counts_for_a_minute(shop: Shop) -> None:
    async with shop.database.transaction() as tx:
        for _ in range(LIMIT - 1):
            await creations.take(tx, shop.clock)
    assert await shop.sales.left() == 1
    await shop.sales.create(shop.seller, ORDER)
    with pytest.raises(Refused, match="none was asked for"):
        await shop.sales.create(shop.seller, replace(ORDER, external_id="order-2"))
    assert len(shop.blink.invoices(shop.pos.btc_wallet_id)) == 1
    shop.clock.advance(60)
    await shop.sales.create(shop.seller, replace(ORDER, external_id="order-2"))


@pytest.mark.parametrize("kind", ["garbage", "lost_answer", "http_503", "null_data"])
async def test_an_order_that_failed_can_be_given_again(shop: Shop, kind: str) -> None:
    shop.fault(CREATE, kind)  # type: ignore[arg-type]
    with pytest.raises(BlinkError):
        await shop.sales.create(shop.seller, ORDER)
    assert await shop.sales.find(shop.seller, "order-1") is None
    assert (await shop.sales.create(shop.seller, ORDER)).state is InvoiceState.PENDING


@pytest.mark.parametrize(
    ("request_sats", "own_hash", "text"),
    [(1_001, True, None), (1_000, False, None), (1_000, True, "lnbcrt1garbage")],
)
async def test_an_invoice_that_is_not_what_was_ordered_is_shown_to_nobody(
    shop: Shop, request_sats: int, own_hash: bool, text: str | None
) -> None:
    issued = issue(request_sats)
    answered = {
        "paymentHash": issued.payment_hash if own_hash else "ab" * 32,
        "paymentRequest": text or issued.payment_request,
        "satoshis": 1_000,
        "createdAt": 1,
    }
    async with answering(answered) as url:
        sales = shop.sales_with(await shop.accounts_at(url))
        with pytest.raises(Unknown):
            await sales.create(shop.seller, ORDER)
    assert await shop.sales.find(shop.seller, "order-1") is None


async def test_a_token_names_its_merchant(shop: Shop) -> None:
    assert await shop.sales.merchant_of(TOKEN) == shop.seller
    assert await shop.sales.merchant_of("another") is None


async def test_a_cancelled_invoice_is_cancelled_at_blink_and_the_page_is_told(shop: Shop) -> None:
    invoice = await shop.sell()
    assert (await shop.sales.cancel(invoice)).state is CANCELLED
    assert shop.blink.invoices(shop.pos.btc_wallet_id)[0].state == "cancelled"
    assert shop.page.kinds == ["cancelled"]
    assert await shop.sales.messages(invoice.id) == shop.page.told


async def test_cancelling_twice_is_the_same_as_once(shop: Shop) -> None:
    invoice = await shop.sell()
    await shop.sales.cancel(invoice)
    assert (await shop.sales.cancel(invoice)).state is CANCELLED  # as it was seen before
    found = await shop.sales.by_id(invoice.id)
    assert found is not None
    assert (await shop.sales.cancel(found)).state is CANCELLED
    assert shop.page.kinds == ["cancelled"]


async def test_an_expired_invoice_stays_expired(shop: Shop) -> None:
    invoice = await shop.sell()
    async with shop.database.transaction() as tx:
        await invoices.end(tx, invoice, EXPIRED, shop.clock(), Actor.EXPIRY)
    found = await shop.sales.by_id(invoice.id)
    assert found is not None
    assert (await shop.sales.cancel(found)).state is EXPIRED
    assert CANCEL not in shop.operations()


async def test_what_was_paid_cannot_be_cancelled_and_the_payment_is_taken_in(shop: Shop) -> None:
    invoice = await shop.sell()
    await shop.pay(invoice)  # and nobody tells us
    with pytest.raises(AlreadyPaid):
        await shop.sales.cancel(invoice)
    assert await shop.state(invoice) is PAID
    assert shop.page.kinds == ["payment"]


async def test_what_cannot_be_cancelled_at_blink_now_is_still_pending(shop: Shop) -> None:
    invoice = await shop.sell()
    shop.fault(CANCEL, "http_503")
    with pytest.raises(BlinkError):
        await shop.sales.cancel(invoice)
    assert await shop.state(invoice) is InvoiceState.PENDING


async def test_an_invoice_that_is_not_known_cannot_be_cancelled(shop: Shop) -> None:
    invoice = await shop.sell()
    stranger = Invoice(**{**_fields(invoice), "id": 4711, "state": PAID})
    with pytest.raises(AlreadyPaid):
        await shop.sales.cancel(stranger)


def _fields(invoice: Invoice) -> dict[str, Any]:
    return {name: getattr(invoice, name) for name in Invoice.__dataclass_fields__}


async def test_what_blink_refuses_to_cancel_is_still_pending(shop: Shop) -> None:
    invoice = await shop.sell()
    shop.fault(CANCEL, "failure_no_effect", code="NOT_AUTHENTICATED", message="Not today")
    with pytest.raises(Refused, match="Not today"):
        await shop.sales.cancel(invoice)
    assert await shop.state(invoice) is InvoiceState.PENDING


async def test_an_invoice_that_is_kept_for_another_order_is_shown_to_nobody(shop: Shop) -> None:
    first = await shop.sales.create(shop.seller, ORDER)
    answered = {
        "paymentHash": first.payment_hash,
        "paymentRequest": first.payment_request,
        "satoshis": 1_000,
        "createdAt": 1,
    }
    async with answering(answered) as url:
        sales = shop.sales_with(await shop.accounts_at(url))
        with pytest.raises(Unknown, match="another order"):
            await sales.create(shop.seller, replace(ORDER, external_id="order-2"))
    assert await shop.sales.find(shop.seller, "order-2") is None
