"""The node's client: what it asks, what it understands, and what a failure proves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from forwarder.model import bolt11
from forwarder.model.forward import PayoutInvoice
from forwarder.model.ledger import Direction, EntryStatus, Paid
from forwarder.model.refusal import KEY_REFUSED, Refusal, Remedy
from forwarder.model.units import PaymentHash, Sats
from forwarder.phoenixd import client as module
from forwarder.phoenixd.client import PhoenixdClient
from forwarder.phoenixd.errors import NeverSent, PhoenixdError, Refused, Unknown
from forwarder.sandbox import Account, Sandbox
from forwarder.sandbox.phoenixd import NodeFault, Phoenixd
from forwarder.sandbox.phoenixd.faults import Kind
from tests.hostile.impostor import serving

BEGINNING = datetime.fromtimestamp(0, UTC)
NAME = f"fwd-{'ab' * 20}-0-1"
SECRET = SecretStr("canary-password")
HASH = PaymentHash("ab" * 32)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Bench:
    """A node with money, a client of it, and a merchant at Blink."""

    def __init__(self, blink: Sandbox, node: Phoenixd, client: PhoenixdClient) -> None:
        self.blink, self.node, self.client = blink, node, client
        self.merchant: Account = blink.open_account("merchant")

    def payout(self, sats: int = 100, memo: str = f"Sale 1 {NAME}") -> PayoutInvoice:
        """An invoice of the merchant's."""
        from forwarder.sandbox.invoices import InvoiceOrder

        order = InvoiceOrder(self.merchant.btc_wallet_id, sats, memo)
        made = self.blink.bank.invoices.create(order)
        until = made.terms.expires_at
        return PayoutInvoice(made.payment_request, PaymentHash(made.payment_hash), until)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with (
        Sandbox.serve(seed=7) as blink,
        Phoenixd.serve(blink, sats=10_000) as node,
        PhoenixdClient.connect(node.url, SecretStr(node.password)) as client,
    ):
        yield Bench(blink, node, client)


async def sell(bench: Bench, name: str = "pos-1") -> Any:  # noqa: ANN401 - the sandbox's own
    issued = await bench.client.create_invoice(Sats(21), "tea", 60, name)
    return bench.node.books.incoming[issued.payment_hash]


async def test_an_invoice_says_what_was_asked_for_and_ends_when_it_should(bench: Bench) -> None:
    issued = await bench.client.create_invoice(Sats(21), "tea", 60, "pos-1")
    decoded = bolt11.decode(issued.payment_request)
    assert (decoded.amount_msat, decoded.description) == (21_000, "tea")
    assert decoded.expires_at - decoded.issued_at == timedelta(seconds=60)
    assert (decoded.payment_hash, decoded.issued_at) == (issued.payment_hash, issued.issued_at)
    assert bench.node.books.incoming[issued.payment_hash].external_id == "pos-1"


async def test_what_was_received_is_told_only_once_it_was(bench: Bench) -> None:
    sale = await sell(bench)
    unpaid = await bench.client.received(sale.payment_hash)
    assert unpaid is not None
    assert unpaid.entry() is None
    bench.node.pay(sale.serialized, sats=25)
    paid = await bench.client.received(sale.payment_hash)
    assert paid is not None
    entry = paid.entry()
    assert entry is not None
    assert (entry.amount, entry.external_id) == (25, "pos-1")
    receipt = entry.receipt()
    assert receipt is not None
    assert receipt.transaction_id == sale.payment_hash
    assert await bench.client.received(HASH) is None


async def test_a_payment_is_proven_by_its_preimage_and_named_by_its_description(
    bench: Bench,
) -> None:
    payout = bench.payout(100)
    paid = await bench.client.pay_invoice(payout)
    assert isinstance(paid, Paid)
    sent = await bench.client.sent(payout.payment_hash)
    assert sent is not None
    assert (sent.id, sent.direction, sent.status) == (
        paid.transaction_id,
        Direction.SEND,
        EntryStatus.SUCCESS,
    )
    assert (sent.amount, sent.external_id) == (-100, NAME)  # what the merchant got, without fees
    assert bench.blink.balance(bench.merchant.btc_wallet_id) == 100


async def test_a_failed_payment_says_why_and_what_helps(bench: Bench) -> None:
    bench.node.fund(-9_990)
    poor = await bench.client.pay_invoice(bench.payout(100))
    assert isinstance(poor, Refusal)
    assert poor.remedy is Remedy.WAIT
    bench.node.fund(1_000)
    bench.node.faults.add(NodeFault("payinvoice", "failed"))
    failed = await bench.client.pay_invoice(bench.payout(100))
    assert isinstance(failed, Refusal)
    assert failed.remedy is Remedy.RETRY
    dead = bench.payout(100)
    bench.blink.bank.invoices.cancel(bench.merchant.btc_wallet_id, dead.payment_hash)
    rejected = await bench.client.pay_invoice(dead)
    assert isinstance(rejected, Refusal)
    assert rejected.remedy is Remedy.RENEW
    listed = await bench.client.sent(dead.payment_hash)
    assert listed is not None
    assert listed.status is EntryStatus.FAILURE


async def test_lists_come_in_pages_and_whole(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    for n in range(5):
        sale = await sell(bench, f"pos-{n}")
        bench.node.pay(sale.serialized)
        await bench.client.pay_invoice(bench.payout(10))
    received = [len(page) async for page in bench.client.incoming_since(BEGINNING)]
    sent = [len(page) async for page in bench.client.outgoing_since(BEGINNING, whole=True)]
    assert received == sent == [2, 2, 1]
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert [page async for page in bench.client.incoming_since(soon)] == []


async def test_a_page_that_is_short_in_the_middle_is_not_the_last_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each page the node leaves out what was on the chain."""
    monkeypatch.setattr(module, "PAGE", 3)
    for number in range(4):
        bench.node.pay((await sell(bench, f"pos-{number}")).serialized)
        bench.node.books.on_chain.append(datetime.now(UTC))
    received = [len(page) async for page in bench.client.incoming_since(BEGINNING)]
    assert (sum(received), min(received)) == (4, 1)


@pytest.mark.parametrize("right", [True, False])
async def test_only_the_full_password_may_pay(bench: Bench, right: bool) -> None:
    password = bench.node.password if right else bench.node.limited_password
    async with PhoenixdClient.connect(bench.node.url, SecretStr(password)) as client:
        assert await client.may_pay() is right
        assert (await client.balance()).balance_sat == 10_000
        assert (await client.info()).node_id == bench.node.api.node_id
    assert not bench.node.books.outgoing


async def test_a_wrong_password_is_refused(bench: Bench) -> None:
    async with PhoenixdClient.connect(bench.node.url + "/", SecretStr("wrong")) as client:
        with pytest.raises(Refused) as told:
            await client.info()
    assert told.value.refusal.code == KEY_REFUSED
    assert told.value.refusal.remedy is Remedy.WAIT


@pytest.mark.parametrize("kind", ["refuse", "http_500", "lost_answer", "garbage"])
async def test_what_may_have_been_done_is_not_known(bench: Bench, kind: Kind) -> None:
    bench.node.faults.add(NodeFault("payinvoice", kind))
    with pytest.raises(Unknown):
        await bench.client.pay_invoice(bench.payout())


async def test_what_has_never_left_is_known() -> None:
    async with PhoenixdClient.connect("http://127.0.0.1:1", SECRET) as client:
        with pytest.raises(NeverSent):
            await client.info()


def answer(body: object, status: int = 200, **headers: str) -> Handler:
    """A node that always says the same."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(text=body, status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    return handle


async def asked(handler: Handler, question: Callable[[PhoenixdClient], Awaitable[object]]) -> Any:  # noqa: ANN401
    async with (
        serving(handler) as origin,
        PhoenixdClient.connect(f"http://{origin}", SECRET) as client,
    ):
        return await question(client)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (201, Unknown),
        (302, Unknown),
        (400, Refused),
        (401, Refused),
        (403, Refused),
        (404, Refused),
        (408, Unknown),
        (409, Unknown),
        (429, Refused),
        (500, Unknown),
        (503, Unknown),
    ],
)
async def test_a_status_proves_no_more_than_it_says(status: int, kind: type[PhoenixdError]) -> None:
    handler = answer("canary-password was wrong", status, Location="http://127.0.0.1:1/")
    payout = PayoutInvoice("lnbcrt1", HASH, BEGINNING)
    with pytest.raises(kind) as told:
        await asked(handler, lambda client: client.pay_invoice(payout))
    assert SECRET.get_secret_value() not in str(told.value)


_SENT = {"paymentId": "0" * 36, "paymentHash": HASH, "sent": 1, "fees": 0, "createdAt": 1}
_RECEIVED = {"paymentHash": HASH, "isPaid": True, "receivedSat": 1, "createdAt": 1}


@pytest.mark.parametrize(
    "listed",
    [
        [{**_RECEIVED, "completedAt": 10**18}],
        [{**_RECEIVED, "completedAt": "1"}],
        [{**_RECEIVED, "receivedSat": 1.5}],
        [{**_RECEIVED, "receivedSat": -1}],
        [{**_RECEIVED, "isPaid": "yes"}],
        [{**_RECEIVED, "paymentHash": HASH.upper()}],
        [7],
        {"payments": []},
        "<html>",
    ],
)
async def test_a_list_that_is_not_understood_is_not_known(listed: object) -> None:
    async def read(client: PhoenixdClient) -> None:
        async for _page in client.incoming_since(BEGINNING, whole=True):
            pass

    with pytest.raises(Unknown):
        await asked(answer(listed), read)


async def test_one_payment_that_is_not_understood_hides_no_other_but_proves_nothing() -> None:
    listed = [{**_SENT, "preimage": "00" * 32}, _SENT]

    async def read(client: PhoenixdClient, *, whole: bool) -> int:
        return sum([len(page) async for page in client.outgoing_since(BEGINNING, whole=whole)])

    assert await asked(answer(listed), lambda client: read(client, whole=False)) == 1
    with pytest.raises(Unknown):
        await asked(answer(listed), lambda client: read(client, whole=True))


@pytest.mark.parametrize(
    ("reply", "sent"),
    [
        ({**_SENT, "isPaid": True, "completedAt": 2}, EntryStatus.FAILURE),  # an older node's
        ({**_SENT, "isPaid": False}, EntryStatus.PENDING),
        ({**_SENT, "invoice": "lnbc1 no invoice", "sent": 9, "fees": 4_016}, EntryStatus.PENDING),
    ],
)
async def test_only_a_preimage_makes_a_payment_settled(
    reply: dict[str, object], sent: EntryStatus
) -> None:
    entry = await asked(answer(reply), lambda client: client.sent(HASH))
    assert (entry.status, entry.external_id) == (sent, None)
    assert entry.amount == -(int(str(reply["sent"])) - int(str(reply["fees"])) // 1000)


@pytest.mark.parametrize("other", [None, "cd" * 32])
async def test_an_answer_about_another_payment_proves_nothing(other: str | None) -> None:
    with pytest.raises(Unknown, match="another payment"):
        await asked(answer({**_SENT, "paymentHash": other}), lambda client: client.sent(HASH))


@pytest.mark.parametrize(
    "reply",
    [
        {"paymentId": "0" * 36, "paymentHash": HASH, "paymentPreimage": "00" * 32},
        {"paymentHash": "cd" * 32, "reason": "another invoice's"},
        {"paymentHash": HASH},
        {"reason": "nobody's"},
    ],
)
async def test_an_answer_to_a_payment_that_does_not_fit_is_not_known(reply: object) -> None:
    payout = PayoutInvoice("lnbcrt1", HASH, BEGINNING)
    with pytest.raises(Unknown):
        await asked(answer(reply), lambda client: client.pay_invoice(payout))


async def test_an_invoice_that_cannot_be_read_is_not_known() -> None:
    reply = {"amountSat": 21, "paymentHash": HASH, "serialized": "lnbcrt1garbage"}
    with pytest.raises(Unknown):
        await asked(answer(reply), lambda c: c.create_invoice(Sats(21), "", 60, "pos-1"))


async def test_an_answer_without_end_is_given_up() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65_536)
            await asyncio.sleep(0)

    with pytest.raises(Unknown):
        await asked(endless, lambda client: client.info())


async def test_a_silent_node_is_not_waited_for_longer_than_its_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(module, "_INFO", replace(module._INFO, seconds=0.05))

    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    with pytest.raises(Unknown, match="in time"):
        await asked(silent, lambda client: client.info())


async def test_to_be_let_in_without_being_asked_for_more_proves_no_right_to_pay() -> None:
    reply = {"paymentHash": HASH, "reason": "nothing to pay"}
    assert await asked(answer(reply), lambda client: client.may_pay()) is False
