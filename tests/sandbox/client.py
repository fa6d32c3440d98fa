"""A plain client of the sandbox: aiohttp, no library that could smooth anything over."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from forwarder.sandbox import Account, Sandbox

START = datetime(2026, 8, 1, 12, tzinfo=UTC)
SUBPROTOCOL = "graphql-transport-ws"

CREATE = """mutation ($input: LnInvoiceCreateInput!) { lnInvoiceCreate(input: $input) {
  errors { message code path } invoice { __typename paymentRequest paymentHash paymentSecret
  satoshis paymentStatus externalId createdAt } } }"""
SEND = """mutation ($input: LnInvoicePaymentInput!) { lnInvoicePaymentSend(input: $input) {
  errors { message code } status transaction { id direction status settlementAmount settlementFee
  externalId memo createdAt settlementVia { __typename ... on SettlementViaIntraLedger {
  counterPartyUsername counterPartyWalletId preImage } } } } }"""
UPDATES = """subscription { myUpdates { errors { message } me { id } update { __typename
  ... on RealtimePrice { timestamp } ... on Price { base offset }
  ... on LnUpdate { paymentHash status walletId transaction { id createdAt status direction
  settlementAmount externalId settlementVia { __typename } } }
  ... on IntraLedgerUpdate { txNotificationType walletId transaction { id memo } } } } }"""


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@dataclass
class Shop:
    """A sandbox with a shop that has a float, and a merchant whom it pays."""

    sandbox: Sandbox
    clock: Clock
    http: ClientSession
    shop: Account = field(init=False)
    merchant: Account = field(init=False)
    key: str = field(init=False)
    merchant_key: str = field(init=False)

    def __post_init__(self) -> None:
        self.shop = self.sandbox.open_account("blinkpos", sats=1_000_000)
        self.merchant = self.sandbox.open_account("alice")
        self.key = self.sandbox.create_key(self.shop)
        self.merchant_key = self.sandbox.create_key(self.merchant)

    @property
    def wallet(self) -> str:
        return self.shop.btc_wallet_id

    async def post(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        key: str | None = "",
        **headers: str,
    ) -> tuple[int, str]:
        """Status and text; the shop's key unless another is given, none for None."""
        chosen = self.key if key == "" else key
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if chosen is not None:
            sent["X-API-KEY"] = chosen
        body = {"query": query, "variables": variables}
        async with self.http.post(self.sandbox.api_url, json=body, headers=sent) as response:
            return response.status, await response.text()

    async def ask(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        key: str | None = "",
        **headers: str,
    ) -> dict[str, Any]:
        """The JSON of an answer that has to come with HTTP 200."""
        status, text = await self.post(query, variables, key, **headers)
        assert status == 200, text
        answer: dict[str, Any] = json.loads(text)
        return answer

    async def mutate(self, query: str, key: str | None = "", **values: object) -> dict[str, Any]:
        """The payload of a mutation with this input."""
        answer = await self.ask(query, {"input": values}, key)
        payload: dict[str, Any] = next(iter(answer["data"].values()))
        return payload

    async def create(self, amount: int = 2100, **values: object) -> dict[str, Any]:
        """An invoice of the shop's."""
        wanted: dict[str, Any] = {"walletId": self.wallet, "amount": amount}
        payload = await self.mutate(CREATE, **wanted | values)
        assert payload["errors"] == []
        invoice: dict[str, Any] = payload["invoice"]
        return invoice

    async def payout(self, amount: int = 2100, **values: object) -> str:
        """A payment request of the merchant's."""
        wanted: dict[str, Any] = {
            "walletId": self.merchant.btc_wallet_id,
            "memo": "payout",
            "amount": amount,
        }
        payload = await self.mutate(CREATE, key=self.merchant_key, **wanted | values)
        assert payload["errors"] == []
        request: str = payload["invoice"]["paymentRequest"]
        return request

    async def send(self, payment_request: str, **values: object) -> dict[str, Any]:
        order: dict[str, Any] = {"walletId": self.wallet, "paymentRequest": payment_request}
        return await self.mutate(SEND, **order | values)

    async def connect(self, key: str | None = "") -> Listener:
        """A websocket that has been acknowledged."""
        ws = await self.http.ws_connect(self.sandbox.ws_url, protocols=[SUBPROTOCOL])
        chosen = self.key if key == "" else key
        payload = {} if chosen is None else {"X-API-KEY": chosen}
        await ws.send_json({"type": "connection_init", "payload": payload})
        assert await ws.receive_json() == {"type": "connection_ack"}
        return Listener(ws)

    async def listen(self, key: str | None = "") -> Listener:
        """A subscription to updates whose first two events, the prices, have been read."""
        listener = await self.connect(key)
        await listener.subscribe("1")
        assert (await listener.update())["__typename"] == "Price"
        assert (await listener.update())["__typename"] == "RealtimePrice"
        return listener


@dataclass
class Listener:
    ws: ClientWebSocketResponse

    async def subscribe(self, name: str, query: str = UPDATES) -> None:
        await self.ws.send_json({"id": name, "type": "subscribe", "payload": {"query": query}})

    async def message(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.ws.receive_json(timeout=5)
        return message

    async def update(self) -> dict[str, Any]:
        message = await self.message()
        assert message["type"] == "next", message
        update: dict[str, Any] = message["payload"]["data"]["myUpdates"]["update"]
        return update

    async def close_code(self) -> int | None:
        message = await self.ws.receive(timeout=5)
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR), message
        return self.ws.close_code

    async def silence(self) -> None:
        """A ping whose pong is the next thing to come: nothing else was under way."""
        await self.ws.send_json({"type": "ping"})
        assert await self.message() == {"type": "pong"}
