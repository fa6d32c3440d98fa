"""The node's calls, from a request to its answer, whoever brings it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from aiohttp import encode_basic_auth

from forwarder.sandbox import bolt11
from forwarder.sandbox.bank import Bank
from forwarder.sandbox.node import Node
from forwarder.sandbox.phoenixd import views
from forwarder.sandbox.phoenixd.books import Books, Failed, Outgoing
from forwarder.sandbox.phoenixd.faults import NodeFault, NodeFaults, Operation

MAX_DESCRIPTION: Final = 128
DEFAULT_EXPIRY_SECONDS: Final = 86_400
DEFAULT_LIMIT: Final = 20
ROUTES: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/getinfo"): "getinfo",
    ("GET", "/getbalance"): "getbalance",
    ("POST", "/createinvoice"): "createinvoice",
    ("POST", "/payinvoice"): "payinvoice",
    ("GET", "/payments/incoming"): "incoming_list",
    ("GET", "/payments/incoming/{hash}"): "incoming",
    ("GET", "/payments/outgoing"): "outgoing_list",
    ("GET", "/payments/outgoingbyhash/{hash}"): "outgoing",
}
_ON_CHAIN: Final = "onChain"
FULL_ONLY: Final[frozenset[Operation]] = frozenset({"payinvoice"})

Reply = views.View | list[views.View]


@dataclass(frozen=True, slots=True)
class Request:
    """A call, and what it carries."""

    operation: Operation
    authorization: str | None
    payment_hash: str
    query: Mapping[str, str]
    form: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered."""

    status: int
    text: str


class Refused(Exception):
    """An answer with another status than 200."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class Api:
    """What a node does when it is asked."""

    def __init__(self, bank: Bank, sats: int) -> None:
        node = Node(bank.entropy, bank.network)
        self.books = Books(bank, node, sats * 1000)
        self.node_id = node.id
        self.password = bank.entropy.secret().hex()
        self.limited_password = bank.entropy.secret().hex()
        self.faults = NodeFaults()
        self.calls: list[Operation] = []
        self._actions: dict[Operation, Callable[[Request], Reply]] = {
            "getinfo": self._info,
            "getbalance": self._balance,
            "createinvoice": self._create,
            "payinvoice": self._pay,
            "incoming_list": self._incoming_list,
            "incoming": self._incoming,
            "outgoing_list": self._outgoing_list,
            "outgoing": self._outgoing,
        }

    async def answer(self, request: Request) -> Answer | None:
        """Answer a request, unless a fault befalls it; None is a connection that is reset."""
        self.calls.append(request.operation)
        try:
            self._admit(request)
            fault = self.faults.take(request.operation)
            if fault is not None:
                return await self._fail(fault, request)
            return _json(self._act(request))
        except Refused as exc:
            return Answer(exc.status, str(exc))

    def _admit(self, request: Request) -> None:
        """The limited password pays nothing."""
        passwords = [self.password]
        if request.operation not in FULL_ONLY:
            passwords.append(self.limited_password)
        if request.authorization not in [encode_basic_auth("", one) for one in passwords]:
            raise Refused(401, "Invalid authentication (use basic auth with the http password)")

    async def _fail(self, fault: NodeFault, request: Request) -> Answer | None:
        match fault.kind:
            case "http_404" | "http_500" | "http_503":
                raise Refused(int(fault.kind.removeprefix("http_")), "<html>not now</html>")
            case "failed":
                return _json(self._failure(request, fault.message))
            case "pending_then_success" | "pending_then_failure":
                self._pay_later(fault, request)
                return None
            case "lost_answer":
                self._act(request)
                return None
            case "executed_then_500":
                self._act(request)
                raise Refused(500, "an exception")
            case "garbage":
                self._act(request)
                return _json({"type": 7, "paymentHash": None})
            case "late_answer":
                reply = self._act(request)
                await asyncio.sleep(fault.seconds)
                return _json(reply)
            case _:
                return None  # refused before anything has happened

    def _act(self, request: Request) -> Reply:
        return self._actions[request.operation](request)

    def _info(self, _: Request) -> views.View:
        return {"nodeId": self.node_id, "channels": [], "chain": "regtest", "version": "0.7.2"}

    def _balance(self, _: Request) -> views.View:
        return {"balanceSat": self.books.msats // 1000, "feeCreditSat": self.books.fee_credit_sats}

    def _create(self, request: Request) -> views.View:
        form = request.form
        description = str(form.get("description", ""))
        if len(description) > MAX_DESCRIPTION:
            raise Refused(400, "Request parameter description is too long")
        seconds = int(str(form.get("expirySeconds", DEFAULT_EXPIRY_SECONDS)))
        sats = int(str(form["amountSat"])) if "amountSat" in form else None
        made = self.books.create(
            sats, description, timedelta(seconds=seconds), str(form.get("externalId", "")) or None
        )
        return {"amountSat": sats, "paymentHash": made.payment_hash, "serialized": made.serialized}

    def _pay(self, request: Request) -> views.View:
        invoice = _invoice_in(request)
        try:
            payment = self.books.begin(invoice)
            self.books.settle(payment)
        except Failed as exc:
            return self._failure(request, str(exc))
        return views.sent(payment)

    def _pay_later(self, fault: NodeFault, request: Request) -> None:
        """Leave a payment under way; whoever asked for it is not told how it ends."""
        with suppress(Failed):
            payment = self.books.begin(_invoice_in(request))
            succeeds = fault.kind == "pending_then_success"
            end = self._settle_unseen if succeeds else self.books.fail
            self.books.bank.timers.after(fault.seconds, partial(end, payment))

    def _settle_unseen(self, payment: Outgoing) -> None:
        with suppress(Failed):
            self.books.settle(payment)

    def _incoming(self, request: Request) -> views.View:
        found = self.books.incoming.get(request.payment_hash)
        if found is None:
            raise Refused(404, "Not found")
        return views.incoming(found, self.books.bank.clock())

    def _incoming_list(self, request: Request) -> list[views.View]:
        now = self.books.bank.clock()
        paid = [one for one in self.books.incoming.values() if one.completed_at is not None]
        paid.sort(key=lambda one: one.completed_at or now, reverse=True)
        shown = [views.incoming(one, now) for one in paid]
        return self._page(request, shown, "completedAt")

    def _outgoing(self, request: Request) -> views.View:
        found = self.books.sent(request.payment_hash)
        if not found:
            raise Refused(404, "Not found")
        return views.outgoing(found[0])

    def _outgoing_list(self, request: Request) -> list[views.View]:
        lists_all = request.query.get("all") == "true"
        listed = [one for one in self.books.outgoing if lists_all or one.status != "failed"]
        return self._page(request, [views.outgoing(one) for one in reversed(listed)], "createdAt")

    def _page(self, request: Request, rows: list[views.View], at: str) -> list[views.View]:
        """A page, newest first. What is on the chain counts to its length, and is then left out."""
        since = int(request.query.get("from", 0))
        limit = int(request.query.get("limit", DEFAULT_LIMIT))
        offset = int(request.query.get("offset", 0))
        chain = [
            {at: views.milliseconds(moment), _ON_CHAIN: True} for moment in self.books.on_chain
        ]
        both = sorted([*rows, *chain], key=lambda row: int(str(row[at])), reverse=True)
        shown = [row for row in both if int(str(row[at])) >= since]
        return [row for row in shown[offset : offset + limit] if _ON_CHAIN not in row]

    def _failure(self, request: Request, reason: str) -> views.View:
        payment_hash = bolt11.decode(_invoice_in(request)).terms.payment_hash
        return {"paymentHash": payment_hash, "reason": reason}


def _invoice_in(request: Request) -> str:
    invoice = str(request.form.get("invoice", ""))
    try:
        bolt11.decode(invoice)
    except ValueError as exc:
        raise Refused(400, "Parameter invoice is not a bolt11invoice") from exc
    return invoice


def _json(reply: Reply) -> Answer:
    return Answer(200, views.text(reply))
