"""The node's HTTP side, and the handles that tests pull."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Final, Self

from aiohttp import encode_basic_auth, web

from forwarder.sandbox import bolt11, wires
from forwarder.sandbox.control import Body, handler, optional, required
from forwarder.sandbox.node import Node
from forwarder.sandbox.phoenixd import views
from forwarder.sandbox.phoenixd.books import Books, Failed, Incoming, Outgoing
from forwarder.sandbox.phoenixd.faults import NodeFault, NodeFaults, Operation
from forwarder.sandbox.phoenixd.webhooks import Webhooks
from forwarder.sandbox.server import SHUTDOWN_SECONDS, Sandbox

MAX_DESCRIPTION: Final = 128
DEFAULT_EXPIRY_SECONDS: Final = 86_400
DEFAULT_LIMIT: Final = 20
READS: Final[tuple[Operation, ...]] = (
    "getinfo",
    "getbalance",
    "incoming",
    "incoming_list",
    "outgoing",
    "outgoing_list",
)

Form = Mapping[str, object]
Action = Callable[[web.Request], Awaitable[views.View | list[views.View]]]


class Refused(Exception):
    """An answer with another status than 200."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class Phoenixd:
    """A node with an HTTP API, invoices, payments and a webhook."""

    def __init__(self, blink: Sandbox, sats: int) -> None:
        bank = blink.bank
        node = Node(bank.entropy, bank.network)
        self.books = Books(bank, node, sats * 1000)
        self.node_id = node.id
        self.password = bank.entropy.secret().hex()
        self.limited_password = bank.entropy.secret().hex()
        self.webhook_secret = bank.entropy.secret().hex()
        self.faults = NodeFaults()
        self.webhooks = Webhooks(self.webhook_secret, self.faults)
        self.calls: list[Operation] = []
        self.fee_credit = 0  # satoshis that fees are taken from, and that no payment is
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def serve(
        cls, blink: Sandbox, sats: int = 0, host: str = "127.0.0.1", port: int = 0
    ) -> AsyncIterator[Self]:
        """A node that listens, on any free port unless one is given."""
        node = cls(blink, sats)
        runner = web.AppRunner(
            node.application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
        )
        await runner.setup()
        telling = asyncio.create_task(node.webhooks.run())
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            node.url = f"http://{host}:{runner.addresses[0][1]}"
            yield node
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            await runner.cleanup()

    def application(self) -> web.Application:
        routes: tuple[tuple[str, str, Operation, Action], ...] = (
            ("GET", "/getinfo", "getinfo", self._info),
            ("GET", "/getbalance", "getbalance", self._balance),
            ("POST", "/createinvoice", "createinvoice", self._create),
            ("POST", "/payinvoice", "payinvoice", self._pay),
            ("GET", "/payments/incoming", "incoming_list", self._incoming_list),
            ("GET", "/payments/incoming/{hash}", "incoming", self._incoming),
            ("GET", "/payments/outgoing", "outgoing_list", self._outgoing_list),
            ("GET", "/payments/outgoingbyhash/{hash}", "outgoing", self._outgoing),
        )
        app = web.Application()
        for method, path, operation, action in routes:
            app.router.add_route(method, path, partial(self._answer, operation, action))
        app.router.add_post("/control/pay", handler(self._pay_by_control))
        return app

    @property
    def control_url(self) -> str:
        return f"{self.url}/control"

    # What its owner and its customers do

    def pay(self, payment_request: str, sats: int | None = None) -> Incoming:
        """A customer pays an invoice; the webhook tells of it."""
        invoice = self.books.receive(payment_request, sats)
        self.webhooks.tell(views.text(views.received(invoice, self.books.bank.clock())))
        return invoice

    async def _pay_by_control(self, body: Body) -> Body:
        """A customer of another process: `POST /control/pay {paymentRequest, sats?}`."""
        payment_request = required(body, "paymentRequest", str)
        paid = self.pay(payment_request, optional(body, "sats", int))
        return dict(views.incoming(paid, self.books.bank.clock()))

    def fund(self, sats: int) -> None:
        """Give the node more to spend, or take some away."""
        self.books.msats += sats * 1000

    @property
    def sends(self) -> list[Outgoing]:
        """Every payment that has arrived."""
        return [payment for payment in self.books.outgoing if payment.status == "succeeded"]

    @property
    def received(self) -> int:
        """Everything that customers have paid, in satoshis."""
        return sum(invoice.received for invoice in self.books.incoming.values())

    # Calls

    async def _answer(
        self, operation: Operation, action: Action, request: web.Request
    ) -> web.StreamResponse:
        self.calls.append(operation)
        try:
            self._admit(request, operation)
            fault = self.faults.take(operation)
            if fault is not None:
                return await self._fail(fault, action, request)
            return _json(await action(request))
        except Refused as exc:
            return web.Response(status=exc.status, text=str(exc))

    def _admit(self, request: web.Request, operation: Operation) -> None:
        """The limited password pays nothing."""
        passwords = {self.password}
        if operation in (*READS, "createinvoice"):
            passwords.add(self.limited_password)
        given = request.headers.get("Authorization")
        if given not in [encode_basic_auth("", password) for password in passwords]:
            raise Refused(401, "Invalid authentication (use basic auth with the http password)")

    async def _fail(
        self, fault: NodeFault, action: Action, request: web.Request
    ) -> web.StreamResponse:
        match fault.kind:
            case "http_404" | "http_500" | "http_503":
                raise Refused(int(fault.kind.removeprefix("http_")), "<html>not now</html>")
            case "failed":
                return _json(self._failure(await request.post(), fault.message))
            case "pending_then_success" | "pending_then_failure":
                await self._pay_later(fault, request)
            case "lost_answer" | "executed_then_500":
                await action(request)
            case "garbage":
                await action(request)
                return _json({"type": 7, "paymentHash": None})
            case "late_answer":
                view = await action(request)
                await asyncio.sleep(fault.seconds)
                return _json(view)
        if fault.kind == "executed_then_500":
            raise Refused(500, "an exception")
        wires.reset(request)
        return web.Response()

    async def _info(self, request: web.Request) -> views.View:
        return {"nodeId": self.node_id, "channels": [], "chain": "regtest", "version": "0.7.2"}

    async def _balance(self, request: web.Request) -> views.View:
        return {"balanceSat": self.books.msats // 1000, "feeCreditSat": self.fee_credit}

    async def _create(self, request: web.Request) -> views.View:
        form = await request.post()
        description = str(form.get("description", ""))
        if len(description) > MAX_DESCRIPTION:
            raise Refused(400, "Request parameter description is too long")
        seconds = int(str(form.get("expirySeconds", DEFAULT_EXPIRY_SECONDS)))
        sats = int(str(form["amountSat"])) if "amountSat" in form else None
        made = self.books.create(
            sats, description, timedelta(seconds=seconds), str(form.get("externalId", "")) or None
        )
        return {"amountSat": sats, "paymentHash": made.payment_hash, "serialized": made.serialized}

    async def _pay(self, request: web.Request) -> views.View:
        form = await request.post()
        invoice = self._invoice_in(form)
        try:
            payment = self.books.begin(invoice)
            self.books.settle(payment)
        except Failed as exc:
            return self._failure(form, str(exc))
        return views.sent(payment)

    async def _pay_later(self, fault: NodeFault, request: web.Request) -> None:
        """Leave a payment under way; whoever asked for it is not told how it ends."""
        payment = self.books.begin(self._invoice_in(await request.post()))
        succeeds = fault.kind == "pending_then_success"
        end = self._settle_unseen if succeeds else self.books.fail
        self.books.bank.timers.after(fault.seconds, partial(end, payment))

    def _settle_unseen(self, payment: Outgoing) -> None:
        with suppress(Failed):
            self.books.settle(payment)

    async def _incoming(self, request: web.Request) -> views.View:
        found = self.books.incoming.get(request.match_info["hash"])
        if found is None:
            raise Refused(404, "Not found")
        return views.incoming(found, self.books.bank.clock())

    async def _incoming_list(self, request: web.Request) -> list[views.View]:
        now = self.books.bank.clock()
        paid = [one for one in self.books.incoming.values() if one.completed_at is not None]
        paid.sort(key=lambda one: one.completed_at or now, reverse=True)
        shown = [views.incoming(one, now) for one in paid]
        return _page(request, shown, "completedAt")

    async def _outgoing(self, request: web.Request) -> views.View:
        found = self.books.sent(request.match_info["hash"])
        if not found:
            raise Refused(404, "Not found")
        return views.outgoing(found[0])

    async def _outgoing_list(self, request: web.Request) -> list[views.View]:
        lists_all = request.query.get("all") == "true"
        listed = [one for one in self.books.outgoing if lists_all or one.status != "failed"]
        return _page(request, [views.outgoing(one) for one in reversed(listed)], "createdAt")

    def _invoice_in(self, form: Form) -> str:
        invoice = str(form.get("invoice", ""))
        try:
            bolt11.decode(invoice)
        except ValueError as exc:
            raise Refused(400, "Parameter invoice is not a bolt11invoice") from exc
        return invoice

    def _failure(self, form: Form, reason: str) -> views.View:
        payment_hash = bolt11.decode(self._invoice_in(form)).terms.payment_hash
        return {"paymentHash": payment_hash, "reason": reason}


def _page(request: web.Request, newest_first: list[views.View], at: str) -> list[views.View]:
    since = int(request.query.get("from", 0))
    limit = int(request.query.get("limit", DEFAULT_LIMIT))
    offset = int(request.query.get("offset", 0))
    shown = [view for view in newest_first if int(str(view[at])) >= since]
    return shown[offset : offset + limit]


def _json(view: views.View | list[views.View]) -> web.Response:
    return web.Response(text=views.text(view), content_type="application/json")
