"""The node as a source: what arrives there is paid on from there, once, whatever is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import delete

from forwarder import failpoints
from forwarder.model.forward import Forward, ForwardState
from forwarder.model.invoice import Invoice, InvoiceState, Order
from forwarder.model.payment import Witness
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats
from forwarder.phoenixd.client import PhoenixdClient
from forwarder.phoenixd.errors import PhoenixdError, Refused, Unknown
from forwarder.sandbox.phoenixd import NodeFault, Phoenixd
from forwarder.settings import Settings
from forwarder.store import forwards, hints, payments, tables
from forwarder.store.orders import OrderConflict
from forwarder.worker import doctor
from forwarder.worker.catch_up import CatchUp
from forwarder.worker.common import Common
from forwarder.worker.doctor import Finding
from forwarder.worker.expiry import Expiry
from forwarder.worker.hints import DOUBTS, Hints
from forwarder.worker.intake import Intake
from forwarder.worker.node_wallet import NodeWallet
from forwarder.worker.poll import Poll
from forwarder.worker.reconciler import BEGINNING, Reconciler
from forwarder.worker.sales import Sales
from forwarder.worker.scrape import Process, exposition
from forwarder.worker.service import Service
from tests.exposition import Exposition
from tests.worker.conftest import Page, Shop, Worker, running, until

NODE = Source.PHOENIXD


@dataclass
class Stall:
    """A shop with a node."""

    shop: Shop
    node: Phoenixd
    client: PhoenixdClient
    common: Common = field(init=False)
    sales: Sales = field(init=False)
    hints: Hints = field(init=False)
    catch_up: CatchUp = field(init=False)
    reconciler: Reconciler = field(init=False)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.shop.common = self.common = replace(self.shop.common, node=self.client)
        intake = Intake(self.common)
        self.sales = Sales(self.common, intake, self.shop.watcher)
        self.hints = Hints(self.common, intake)
        self.catch_up = CatchUp(self.common, intake, NODE)
        self.reconciler = Reconciler(self.common, intake, 300)
        self.worker = Worker(self.shop, self.shop.accounts)

    async def sell(self, sats: int = 1_000, text: str = "coffee", seconds: int = 900) -> Invoice:
        name = f"node-{len(self.node.books.incoming)}"
        order = Order(name, Sats(sats), text, seconds, NODE)
        invoice = await self.sales.create(self.shop.seller, order)
        self.shop.notifier.join(invoice.id, self.shop.page)
        return invoice

    async def queue(self, sats: int = 1_000) -> Invoice:
        """A sale that is paid, and whose forward is queued."""
        invoice = await self.sell(sats)
        self.node.pay(invoice.payment_request)
        await self.catch_up.run()
        return invoice

    def settings(self, url: str, password: str) -> Settings:
        """The shop's, with a node."""
        node = {"phoenixd_host": url, "phoenixd_token": SecretStr(password)}
        return self.shop.settings.model_copy(update=node)

    async def examined(self, settings: Settings) -> Finding:
        """What the doctor finds of the node."""
        (found,) = [
            one
            async for one in doctor.examine(settings, self.shop.clock)
            if one.subject == "phoenixd"
        ]
        return found

    async def witness(self, invoice: Invoice) -> Witness | None:
        async with self.common.database.reading() as tx:
            found = await payments.find(tx, invoice.payment_hash)
        return None if found is None else found.witness

    async def hints_due(self) -> int:
        later = self.shop.clock() + timedelta(days=1)
        async with self.common.database.reading() as tx:
            return len(await hints.due(tx, later, 100))

    async def work(self, times: int = 1) -> None:
        """Take what is due as far as it goes, so often, an hour apart."""
        for _ in range(times):
            await self.worker.work()
            self.shop.clock.advance(61)

    async def is_forwarded(self, invoice: Invoice, sats: int = 1_000) -> Forward:
        forward = await self.shop.forward(invoice)
        assert forward.state is ForwardState.FORWARDED, forward
        assert [one.id for one in self.node.sends] == [forward.transaction_id]
        assert self.shop.earned == sats
        assert not self.shop.sends
        return forward


@pytest.fixture
async def stall(shop: Shop) -> AsyncIterator[Stall]:
    async with (
        Phoenixd.serve(shop.blink, sats=100_000) as node,
        PhoenixdClient.connect(node.url, SecretStr(node.password)) as client,
    ):
        yield Stall(shop, node, client)


async def test_a_sale_at_the_node_is_kept_as_one_and_asks_nothing_of_blink(stall: Stall) -> None:
    invoice = await stall.sell(seconds=61)
    assert (invoice.source, invoice.outlived) == (NODE, False)
    assert stall.shop.operations(stall.shop.pos) == []
    made = stall.node.books.incoming[invoice.payment_hash]
    assert made.terms.expires_in == timedelta(seconds=61)
    assert str(made.external_id).startswith("pos-")
    assert not await stall.shop.watcher._is_needed()


async def test_an_order_at_another_source_is_another_order(stall: Stall) -> None:
    order = Order("same", Sats(1_000), "", 900, NODE)
    made = await stall.sales.create(stall.shop.seller, order)
    assert await stall.sales.create(stall.shop.seller, order) == made
    with pytest.raises(OrderConflict):
        await stall.sales.create(stall.shop.seller, replace(order, source=Source.BLINK))


@pytest.mark.parametrize(("letters", "shown"), [(128, 128), (129, 128), (600, 128)])
async def test_a_long_description_is_cut_for_the_customer_and_kept_whole(
    stall: Stall, letters: int, shown: int
) -> None:
    invoice = await stall.sell(text="é" * letters)
    assert len(invoice.description) == letters
    text = stall.node.books.incoming[invoice.payment_hash].terms.description
    assert len(text) == shown
    assert text.endswith("…") == (letters > shown)


async def test_a_node_that_answers_with_another_invoice_makes_no_sale(stall: Stall) -> None:
    made = await stall.client.create_invoice(Sats(7), "", 60, "another")

    async def lie(*_: object) -> object:
        return made

    stall.client.create_invoice = lie  # type: ignore[method-assign, assignment]
    with pytest.raises(Unknown):
        await stall.sell(1_000)


async def test_money_at_the_node_is_paid_on_from_there(stall: Stall) -> None:
    invoice = await stall.queue()
    await stall.work()
    forward = await stall.is_forwarded(invoice)
    assert forward.source is NODE
    assert forward.sent_from == stall.node.api.node_id[:36]
    assert stall.shop.page.kinds == ["payment", "forwarded"]
    payout = stall.shop.blink.invoices(stall.shop.merchant.btc_wallet_id)[0]
    assert payout.memo.endswith(forward.external_id)


async def test_a_hint_is_believed_once_the_node_confirms_it(stall: Stall) -> None:
    invoice = await stall.sell()
    await stall.hints.keep(NODE, invoice.payment_hash)
    async with running(stall.hints.run):
        await asyncio.sleep(0.1)
        assert await stall.shop.state(invoice) is InvoiceState.PENDING
        stall.node.pay(invoice.payment_request, sats=1_500)
        stall.shop.clock.advance(61)
        stall.common.bells.hints.ring()
        await until(lambda: stall.shop.page.kinds == ["payment"])
        await until(lambda: _is_settled(stall))
    assert await stall.witness(invoice) is Witness.WEBHOOK
    assert (await stall.shop.forward(invoice)).amount == 1_500


async def _is_settled(stall: Stall) -> bool:
    return await stall.hints_due() == 0


async def test_a_hint_that_nobody_confirms_is_forgotten_in_the_end(stall: Stall) -> None:
    await stall.hints.keep(NODE, PaymentHash("ee" * 32))
    for _ in range(DOUBTS + 1):
        stall.shop.clock.advance(61)
        async with stall.common.database.reading() as tx:
            (hint,) = await hints.due(tx, stall.shop.clock(), 1)
        await stall.hints._confirm(hint)
    assert await stall.hints_due() == 0
    assert await stall.shop.story(PaymentHash("ee" * 32)) == []


async def test_a_hint_waits_for_a_node_that_cannot_be_asked(stall: Stall) -> None:
    invoice = await stall.sell()
    stall.node.pay(invoice.payment_request)
    stall.node.faults.add(NodeFault("incoming", "http_500", times=None))
    await stall.hints.keep(NODE, invoice.payment_hash)
    async with running(stall.hints.run):
        await until(lambda: _was_put_off(stall))
        await asyncio.sleep(0.05)  # it rests until the hint is due again
    assert await stall.hints_due() == 1
    stall.node.faults.clear()
    stall.shop.clock.advance(61)
    async with running(stall.hints.run):
        await until(lambda: stall.shop.page.kinds == ["payment"])
        await until(lambda: _is_settled(stall))


async def _was_put_off(stall: Stall) -> bool:
    async with stall.common.database.reading() as tx:
        found = await hints.due(tx, stall.shop.clock() + timedelta(days=1), 1)
    return found[0].tries == 1


async def test_a_hint_of_blinks_goes_the_same_way(stall: Stall) -> None:
    invoice = await stall.shop.sell()
    await stall.shop.pay(invoice)
    for _ in range(3):
        await stall.hints.keep(Source.BLINK, invoice.payment_hash)
    async with running(stall.hints.run):
        await until(lambda: stall.shop.page.kinds == ["payment"])
        await until(lambda: _is_settled(stall))
    assert await stall.witness(invoice) is Witness.WEBHOOK


async def test_a_hint_that_is_kept_outlives_the_process(stall: Stall) -> None:
    invoice = await stall.sell()
    stall.node.pay(invoice.payment_request)

    async def die() -> None:
        raise RuntimeError

    failpoints.arm("hints.kept", die)
    with pytest.raises(RuntimeError):
        await stall.hints.keep(NODE, invoice.payment_hash)
    failpoints.arm("hints.verified", die)
    with pytest.raises(RuntimeError):
        await stall.hints.keep(NODE, PaymentHash("ee" * 32))
    assert await stall.hints_due() == 1
    reborn = Hints(stall.common, Intake(stall.common))
    async with running(reborn.run):
        await until(lambda: stall.shop.page.kinds == ["payment"])
        await until(lambda: _is_settled(stall))


async def test_a_hint_that_is_not_understood_has_the_ledger_read(stall: Stall) -> None:
    stall.hints.doubt(NODE)
    assert await stall.common.bells.reconcilers[NODE].wait(0)


async def test_the_poll_finds_what_no_webhook_has_told_and_says_how_much(stall: Stall) -> None:
    told, untold = await stall.sell(), await stall.sell()
    await stall.hints.keep(NODE, told.payment_hash)
    poll = Poll(stall.common, stall.catch_up)
    async with running(poll.run):
        stall.node.pay(told.payment_request)
        stall.node.pay(untold.payment_request)
        await until(lambda: len(stall.shop.page.kinds) == 2)
    assert await stall.witness(untold) is Witness.POLL
    async with stall.common.database.reading() as tx:
        assert await hints.unannounced(tx, NODE, stall.shop.clock()) == 1
    process = Process(stall.shop.watcher.watch, pages=0, tasks_down=0, read_key_usable=None)
    assert b"forwarder_unannounced_payments 1.0" in await exposition(stall.common, process)


async def test_the_poll_asks_only_while_something_is_pending_and_survives_the_node(
    stall: Stall,
) -> None:
    poll = Poll(stall.common, stall.catch_up)
    async with running(poll.run) as task:
        await asyncio.sleep(0.05)
        assert stall.node.calls == []
        stall.node.faults.add(NodeFault("incoming_list", "http_500"))
        await stall.sell()
        await until(lambda: stall.node.calls.count("incoming_list") == 1)
        await asyncio.sleep(0.05)
        assert not task.done()


async def test_an_expired_sale_has_a_last_look_at_the_node(stall: Stall) -> None:
    invoice, late = await stall.sell(seconds=5), await stall.sell(seconds=5)
    stall.node.pay(invoice.payment_request)
    stall.shop.clock.advance(6)
    expiry = Expiry(stall.common, [stall.catch_up])
    await expiry._end_due()
    assert await stall.shop.state(invoice) is InvoiceState.PAID
    assert await stall.shop.state(late) is InvoiceState.EXPIRED


async def test_a_cancelled_sale_that_was_paid_is_paid(stall: Stall) -> None:
    invoice = await stall.sell()
    assert (await stall.sales.cancel(invoice)).state is InvoiceState.CANCELLED
    other = await stall.sell()
    stall.node.pay(other.payment_request)
    from forwarder.worker.sales import AlreadyPaid

    with pytest.raises(AlreadyPaid):
        await stall.sales.cancel(other)


async def test_an_unpaid_payment_is_not_proven_by_a_call_that_the_node_may_not_know(
    stall: Stall,
) -> None:
    invoice = await stall.queue()
    stall.node.faults.add(NodeFault("payinvoice", "lost_answer"))
    await stall.work()
    # An older node knows no call by hash: it says 404, and its list tells the truth.
    stall.node.faults.add(NodeFault("outgoing", "http_404", times=None))
    await stall.work()
    await stall.is_forwarded(invoice)
    assert stall.node.calls.count("payinvoice") == 1


async def test_a_call_that_was_never_made_is_made_with_the_same_invoice(stall: Stall) -> None:
    invoice = await stall.queue()
    stall.node.faults.add(NodeFault("payinvoice", "refuse"))
    await stall.work(3)
    await stall.is_forwarded(invoice)
    assert len(stall.shop.blink.invoices(stall.shop.merchant.btc_wallet_id)) == 1


@pytest.mark.usefixtures("one_clock")
async def test_an_expired_payout_invoice_is_replaced_once_it_is_proven_unpaid(
    stall: Stall,
) -> None:
    invoice = await stall.queue()
    stall.node.faults.add(NodeFault("payinvoice", "failed"))
    await stall.work()
    stall.shop.clock.advance(86_400)
    for seconds in (1, 200, 60):
        await stall.work()
        stall.shop.clock.advance(seconds)
    await stall.work(2)
    forward = await stall.is_forwarded(invoice)
    assert forward.attempt == 2


async def test_a_pending_payout_is_waited_for(stall: Stall) -> None:
    invoice = await stall.queue()
    stall.node.faults.add(NodeFault("payinvoice", "pending_then_success", seconds=3_600))
    await stall.work(2)
    assert (await stall.shop.forward(invoice)).state is ForwardState.SENDING
    stall.shop.blink.hasten()
    await stall.work()
    await stall.is_forwarded(invoice)


async def test_an_empty_node_is_waited_for(stall: Stall) -> None:
    stall.node.fund(-100_000)
    invoice = await stall.queue()
    await stall.work()
    held = await stall.shop.forward(invoice)
    assert held.state is ForwardState.HELD
    assert "not enough funds" in str(held.held_reason)
    stall.node.fund(100)
    await stall.work(2)
    await stall.is_forwarded(invoice)


async def test_only_the_node_that_may_have_paid_can_prove_it(stall: Stall) -> None:
    invoice = await stall.queue()
    stall.node.faults.add(NodeFault("payinvoice", "lost_answer"))
    await stall.work()
    stall.node.api.node_id = "03" + "cd" * 32
    await stall.work()
    held = await stall.shop.forward(invoice)
    assert held.state is ForwardState.HELD
    assert "it was sent from wallet" in str(held.held_reason)


async def test_without_a_node_its_money_waits(stall: Stall) -> None:
    invoice = await stall.queue()
    stall.shop.common = replace(stall.common, node=None)
    await Worker(stall.shop, stall.shop.accounts).work()
    forward = await stall.shop.forward(invoice)
    assert forward.state is ForwardState.QUEUED
    assert forward.tries == 1
    assert stall.shop.common.wallets.sources == (Source.BLINK,)


async def forget(stall: Stall) -> None:
    """Lose the database, but for the merchant."""
    async with stall.common.database.transaction() as tx:
        for name in ("messages", "forwards", "payments", "invoices", "orders", "reconciliation"):
            await tx.execute(delete(tables.metadata.tables[name]))


async def test_a_lost_database_is_rebuilt_from_the_node_and_pays_nobody_twice(
    stall: Stall,
) -> None:
    done, open_one = await stall.queue(1_000), await stall.queue(2_000)
    assert (await stall.shop.forward(done)).state is ForwardState.QUEUED
    await stall.worker.forwarding.advance((await stall.worker.claim())[0])
    stranger = await stall.client.create_invoice(Sats(5), "", 60, "somebody-elses")
    stall.node.pay(stranger.payment_request)
    await forget(stall)
    stall.shop.clock.advance(400)
    report = await stall.reconciler.recover()
    assert sorted(report.rebuilt) == sorted([done.payment_hash, open_one.payment_hash])
    assert report.unmatched == [stranger.payment_hash]
    await stall.work(3)
    assert stall.shop.earned == 3_000
    assert len(stall.node.sends) == 2
    assert (await stall.shop.forward(open_one)).state is ForwardState.FORWARDED
    assert (await stall.reconciler.reconcile(BEGINNING)).drift_sats == 0


async def test_an_older_database_finds_what_the_node_has_paid_by_its_name(stall: Stall) -> None:
    invoice = await stall.queue()
    await stall.work()
    sent = await stall.shop.forward(invoice)
    await stall.shop.force(
        sent,
        state=ForwardState.QUEUED,
        payout_hash=None,
        payout_request=None,
        payout_expires_at=None,
        transaction_id=None,
        due_at=stall.shop.clock(),
        sent_at=None,
        sent_from=None,
        ended_at=None,
    )
    await stall.work()
    again = await stall.shop.forward(invoice)
    assert (again.state, again.transaction_id) == (ForwardState.FORWARDED, sent.transaction_id)
    assert len(stall.node.sends) == 1


async def test_a_payout_invoice_whose_answer_was_lost_is_found_and_paid(stall: Stall) -> None:
    invoice = await stall.queue()
    stall.shop.merchant_fault("lnInvoiceCreate", "lost_answer")
    await stall.work(2)
    await stall.is_forwarded(invoice)
    assert len(stall.shop.blink.invoices(stall.shop.merchant.btc_wallet_id)) == 1


async def test_an_invoice_that_the_node_has_forgotten_cannot_be_rebuilt(stall: Stall) -> None:
    wallet = await stall.common.wallets.of(NODE)
    assert isinstance(wallet, NodeWallet)
    with pytest.raises(PhoenixdError):
        await wallet.invoice_of(PaymentHash("ee" * 32))
    invoice = await stall.sell()
    assert await wallet.receipt_of(invoice.payment_hash) is None
    assert (await wallet.invoice_of(invoice.payment_hash)).issued_at == invoice.issued_at
    stall.node.books.incoming[invoice.payment_hash].serialized = "lnbcrt1garbage"
    with pytest.raises(PhoenixdError):
        await wallet.invoice_of(invoice.payment_hash)


async def test_nothing_is_paid_from_a_source_whose_ledger_was_not_read(stall: Stall) -> None:
    invoice, other = await stall.queue(), await stall.shop.queue()
    stall.common.unread.add(NODE)
    async with running(stall.worker.payout.run):
        await until(lambda: stall.shop.sends == 1)
        assert not stall.node.sends
        stall.shop.clock.advance(1)
        async with (
            running(lambda: stall.reconciler.run(Source.BLINK)),
            running(lambda: stall.reconciler.run(NODE)),
        ):
            await until(lambda: bool(stall.node.sends))
            await until(lambda: stall.shop.page.kinds.count("forwarded") == 2)
    assert stall.common.unread == set()
    assert (await stall.shop.forward(invoice)).source is NODE
    assert (await stall.shop.forward(other)).source is Source.BLINK


async def test_a_node_that_cannot_be_read_stops_no_other_ledger(stall: Stall) -> None:
    stall.common.unread.update(Source)
    stall.node.faults.add(NodeFault("getinfo", "http_500", times=None))
    async with (
        running(lambda: stall.reconciler.run(Source.BLINK)),
        running(lambda: stall.reconciler.run(NODE)),
    ):
        await until(lambda: stall.common.unread == {NODE})
    with pytest.raises(PhoenixdError):
        await stall.reconciler.reconcile()


async def test_the_money_of_a_source_is_never_sent_from_another(stall: Stall) -> None:
    invoice = await stall.queue()
    await stall.shop.force(await stall.shop.forward(invoice), source=Source.BLINK)
    await stall.work()
    held = await stall.shop.forward(invoice)
    assert held.state is ForwardState.HELD
    assert "has received" in str(held.held_reason)
    assert not stall.shop.sends


async def test_each_source_has_a_lane_of_its_own(stall: Stall) -> None:
    invoice, other = await stall.queue(), await stall.shop.queue()
    stall.node.faults.add(NodeFault("payinvoice", "late_answer", seconds=0.5))
    async with running(stall.worker.payout.run):
        await until(lambda: "payinvoice" in stall.node.calls)
        await until(lambda: stall.shop.sends == 1)
        assert (await stall.shop.forward(invoice)).state is ForwardState.SENDING
        await until(lambda: stall.shop.page.kinds.count("forwarded") == 2)
    async with stall.common.database.reading() as tx:
        assert len(await forwards.of_payment(tx, other.payment_hash)) == 1


@pytest.mark.parametrize("kind", ["full", "limited", "wrong", "gone"])
async def test_the_doctor_looks_at_the_node(stall: Stall, kind: str) -> None:
    passwords = {"full": stall.node.password, "limited": stall.node.limited_password}
    url = "http://127.0.0.1:1" if kind == "gone" else stall.node.url
    found = await stall.examined(stall.settings(url, passwords.get(kind, "wrong")))
    assert found.ok == (kind == "full")
    words = {"full": "100000 sat", "limited": "may not pay", "wrong": "does not take"}
    assert words.get(kind, "cannot reach") in found.detail


async def test_the_doctor_tells_what_can_be_sent_from_what_is_kept_for_fees(stall: Stall) -> None:
    settings = stall.settings(stall.node.url, stall.node.password)
    assert (await stall.examined(settings)).detail.endswith("100000 sat to spend")
    stall.node.books.fee_credit_sats = 250
    detail = (await stall.examined(settings)).detail
    assert detail.endswith("100000 sat to spend, 250 sat kept for fees")


async def test_the_service_sells_at_the_node_and_pays_on_from_there(stall: Stall) -> None:
    settings, page = stall.settings(stall.node.url, stall.node.password), Page()
    async with Service.open(settings, stall.shop.clock) as service:
        assert set(service.sources) == {Source.BLINK, NODE}
        order = Order("at-the-node", Sats(1_000), "coffee", 900, NODE)
        invoice = await service.sales.create(stall.shop.seller, order)
        service.notifier.join(invoice.id, page)
        stall.node.pay(invoice.payment_request)  # and no webhook tells of it
        await until(lambda: set(page.kinds) == {"payment", "forwarded"}, seconds=30)
    await stall.is_forwarded(invoice)


async def test_a_refused_sale_is_refused_by_the_node(stall: Stall) -> None:
    async with PhoenixdClient.connect(stall.node.url, SecretStr("wrong")) as client:
        sales = Sales(replace(stall.common, node=client), stall.shop.intake, stall.shop.watcher)
        with pytest.raises(Refused):
            await sales.create(stall.shop.seller, Order("x", Sats(1), "", 60, NODE))


async def test_calls_to_the_node_are_counted_apart_from_those_to_blink(stall: Stall) -> None:
    node = {"phoenixd_host": stall.node.url, "phoenixd_token": SecretStr(stall.node.password)}
    settings = stall.shop.settings.model_copy(update=node)
    async with Service.wired(settings, stall.common.database, stall.shop.clock) as service:
        assert service.sources == (Source.BLINK, NODE)
        await service.sales.create(stall.shop.seller, Order("one", Sats(1_000), "", 900, NODE))
        now = Exposition((await service.exposition(pages=0)).decode())
    calls, seconds = "forwarder_phoenixd_calls_total", "forwarder_phoenixd_call_seconds_count"
    assert now.value(calls, operation="CreateInvoice", outcome="answered") == 1
    assert now.value(seconds, operation="CreateInvoice") == 1
    assert now.value("forwarder_blink_calls_total") == 0
