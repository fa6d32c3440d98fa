"""The node's HTTP side, and the handles that tests pull."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Self

from aiohttp import web

from forwarder.sandbox import wires
from forwarder.sandbox.control import Body, handler, optional, required
from forwarder.sandbox.phoenixd import views
from forwarder.sandbox.phoenixd.api import ROUTES, Api, Request
from forwarder.sandbox.phoenixd.books import Incoming, Outgoing
from forwarder.sandbox.phoenixd.faults import Operation
from forwarder.sandbox.phoenixd.webhooks import Webhooks
from forwarder.sandbox.server import SHUTDOWN_SECONDS, Sandbox


class Phoenixd:
    """A node with an HTTP API, invoices, payments and a webhook."""

    def __init__(self, blink: Sandbox, sats: int) -> None:
        self.api = Api(blink.bank, sats)
        self.books = self.api.books
        self.faults = self.api.faults
        self.calls = self.api.calls
        self.password = self.api.password
        self.limited_password = self.api.limited_password
        self.webhook_secret = blink.bank.entropy.secret().hex()
        self.webhooks = Webhooks(self.webhook_secret, self.faults)
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
        app = web.Application()
        for (method, path), operation in ROUTES.items():
            app.router.add_route(method, path, partial(self._answer, operation))
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

    async def _answer(self, operation: Operation, request: web.Request) -> web.StreamResponse:
        asked = Request(
            operation=operation,
            authorization=request.headers.get("Authorization"),
            payment_hash=request.match_info.get("hash", ""),
            query=request.query,
            form=await request.post(),
        )
        answer = await self.api.answer(asked)
        if answer is None:
            wires.reset(request)
            return web.Response()  # goes nowhere: aiohttp wants something to be returned
        kind = "application/json" if answer.status == 200 else "text/plain"
        return web.Response(status=answer.status, text=answer.text, content_type=kind)
