"""The sandbox by remote control, for other processes: JSON under /control.

    POST   /control/accounts    {username, sats?}  -> {id, username, btcWalletId, usdWalletId}
    POST   /control/keys        {accountId, scopes?}  -> {key}
    POST   /control/callbacks   {accountId, url, secret?}  -> {secret}
    POST   /control/pay         {paymentRequest, sats?}  -> the receipt
    POST   /control/faults      {operation, kind, times?, probability?, after?, seconds?, account?,
                                 code?, message?, copies?}  -> {}
    DELETE /control/faults      -> {}
    POST   /control/latency     {operation, seconds}  -> {}
    POST   /control/lateness    {query, seconds}  -> {}: sends are shown so late to `hash`, `list`,
                                 or in the `answer` to a second payment
    POST   /control/cut         -> {cut}: how many websockets were dropped
    GET    /control/ledger      -> {wallets: [{id, accountId, username, currency, balance,
                                 transactions, invoices}]}
    GET    /control/calls       -> {calls: [{operation, at, accountId, variables, outcome}]}
    GET    /control/websockets  -> {open, subscriptions, handshakes}

Input that is wrong is answered with HTTP 400 and {error}.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from forwarder.sandbox.accounts import SCOPES, Account, Wallet
from forwarder.sandbox.errors import SandboxError
from forwarder.sandbox.faults import Fault
from forwarder.sandbox.invoices import InvoiceView
from forwarder.sandbox.lateness import QUERIES
from forwarder.sandbox.transactions import TransactionView

if TYPE_CHECKING:
    from forwarder.sandbox.server import Sandbox

Body = dict[str, Any]
Action = Callable[[Body], Awaitable[Body]]
T = TypeVar("T")

FAULT_FIELDS: dict[str, type | tuple[type, ...]] = {
    "operation": str,
    "kind": str,
    "times": int,
    "probability": (int, float),
    "after": int,
    "seconds": (int, float),
    "account": str,
    "code": (str, int),
    "message": str,
    "copies": int,
}


class Control:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def open_account(self, body: Body) -> Body:
        sats = optional(body, "sats", int) or 0
        if sats < 0:
            raise SandboxError("sats must not be negative")
        return account_json(self._sandbox.open_account(required(body, "username", str), sats))

    async def create_key(self, body: Body) -> Body:
        account = self._sandbox.account(required(body, "accountId", str))
        scopes = optional(body, "scopes", list)
        wanted = SCOPES if scopes is None else tuple(str(scope) for scope in scopes)
        return {"key": self._sandbox.create_key(account, wanted)}

    async def call_back(self, body: Body) -> Body:
        account = self._sandbox.account(required(body, "accountId", str))
        secret = optional(body, "secret", str)
        endpoint = self._sandbox.call_back(account, required(body, "url", str), secret)
        return {"secret": endpoint.secrets[0]}

    async def pay(self, body: Body) -> Body:
        payment_request = required(body, "paymentRequest", str)
        return transaction_json(
            await self._sandbox.pay(payment_request, optional(body, "sats", int))
        )

    async def add_fault(self, body: Body) -> Body:
        if unknown := body.keys() - FAULT_FIELDS.keys():
            raise SandboxError(f"unknown fields: {sorted(unknown)}")
        for name, kind in FAULT_FIELDS.items():
            optional(body, name, kind)
        try:
            self._sandbox.faults.add(Fault(**body))
        except (TypeError, ValueError) as error:
            raise SandboxError(str(error)) from error
        return {}

    async def clear_faults(self, _: Body) -> Body:
        self._sandbox.faults.clear()
        return {}

    async def set_latency(self, body: Body) -> Body:
        seconds = required(body, "seconds", (int, float))
        if seconds < 0:
            raise SandboxError("seconds must not be negative")
        self._sandbox.set_latency(required(body, "operation", str), seconds)
        return {}

    async def delay_sends(self, body: Body) -> Body:
        query = required(body, "query", str)
        if query not in QUERIES:
            raise SandboxError(f"query must be one of {QUERIES}")
        seconds = required(body, "seconds", (int, float))
        self._sandbox.delay_sends(query, seconds)
        return {}

    async def cut(self, _: Body) -> Body:
        count = self._sandbox.websockets
        await self._sandbox.cut_websockets()
        return {"cut": count}

    async def ledger(self, _: Body) -> Body:
        accounts = self._sandbox.bank.accounts.by_id.values()
        wallets = (
            self._wallet_json(account, wallet) for account in accounts for wallet in account.wallets
        )
        return {"wallets": list(wallets)}

    async def calls(self, _: Body) -> Body:
        calls = [
            {
                "operation": call.operation,
                "at": call.at.isoformat(),
                "accountId": call.account_id,
                "variables": dict(call.variables),
                "outcome": call.outcome,
            }
            for call in self._sandbox.calls
        ]
        return {"calls": calls}

    async def websockets(self, _: Body) -> Body:
        return {
            "open": self._sandbox.websockets,
            "subscriptions": self._sandbox.subscriptions,
            "handshakes": [at.isoformat() for at in self._sandbox.handshakes],
        }

    def _wallet_json(self, account: Account, wallet: Wallet) -> Body:
        return {
            "id": wallet.id,
            "accountId": account.id,
            "username": account.username,
            "currency": wallet.currency,
            "balance": self._sandbox.balance(wallet.id),
            "transactions": [transaction_json(t) for t in self._sandbox.transactions(wallet.id)],
            "invoices": [invoice_json(i) for i in self._sandbox.invoices(wallet.id)],
        }


def routes(sandbox: Sandbox) -> list[web.RouteDef]:
    control = Control(sandbox)
    return [
        web.post("/control/accounts", handler(control.open_account)),
        web.post("/control/keys", handler(control.create_key)),
        web.post("/control/callbacks", handler(control.call_back)),
        web.post("/control/pay", handler(control.pay)),
        web.post("/control/faults", handler(control.add_fault)),
        web.delete("/control/faults", handler(control.clear_faults)),
        web.post("/control/latency", handler(control.set_latency)),
        web.post("/control/lateness", handler(control.delay_sends)),
        web.post("/control/cut", handler(control.cut)),
        web.get("/control/ledger", handler(control.ledger)),
        web.get("/control/calls", handler(control.calls)),
        web.get("/control/websockets", handler(control.websockets)),
    ]


def handler(action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Serve an action: its input is a JSON object, and its mistakes are the caller's."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(await action(read_body(await request.text())))
        except SandboxError as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle


def read_body(text: str) -> Body:
    if not text:
        return {}
    try:
        body = json.loads(text)
    except ValueError as error:
        raise SandboxError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise SandboxError("not a JSON object")
    return body


def optional(body: Body, name: str, kind: type[T] | tuple[type[T], ...]) -> T | None:
    value = body.get(name)
    if value is None:
        return None
    # JSON's true is an int to Python, and never meant as one.
    if isinstance(value, bool) or not isinstance(value, kind):
        raise SandboxError(f"{name} has the wrong type")
    return value


def required(body: Body, name: str, kind: type[T] | tuple[type[T], ...]) -> T:
    value = optional(body, name, kind)
    if value is None:
        raise SandboxError(f"{name} is missing")
    return value


def account_json(account: Account) -> Body:
    return {
        "id": account.id,
        "username": account.username,
        "btcWalletId": account.btc_wallet_id,
        "usdWalletId": account.usd_wallet_id,
    }


def transaction_json(tx: TransactionView) -> Body:
    return {camel(field.name): plain(getattr(tx, field.name)) for field in fields(tx)}


def invoice_json(invoice: InvoiceView) -> Body:
    return {camel(field.name): plain(getattr(invoice, field.name)) for field in fields(invoice)}


def plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)
