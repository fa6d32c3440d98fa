"""Websocket frames that no Blink should send, and a server that sends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import WSMsgType, web

from tests.hostile.mangle import DEEP, HASH

PROTOCOL: Final = "graphql-transport-ws"
Frame = str | bytes
ME: Final = "<id>"  # stands for the id of the client's own subscription

PRICE: Final = {"myUpdates": {"errors": [], "update": {"__typename": "RealtimePrice"}}}


def begun_by(payment_hash: str) -> dict[str, str]:
    """How a Lightning payment begins."""
    return {"__typename": "InitiationViaLn", "paymentHash": payment_hash}


def receipt(**parts: object) -> dict[str, Any]:
    """The event of a payment, as Blink would send it but for these parts."""
    transaction: dict[str, object] = {
        "id": "6" * 24,
        "direction": "RECEIVE",
        "status": "SUCCESS",
        "settlementAmount": 1_000,
        "settlementCurrency": "BTC",
        "externalId": None,
        "initiationVia": begun_by(HASH),
        **parts,
    }
    update = {"__typename": "LnUpdate", "status": "PAID", "transaction": transaction}
    return {"myUpdates": {"errors": [], "update": update}}


def next_frame(data: object, name: object = ME, **more: object) -> str:
    """A `next` of the subscription."""
    return json.dumps({"id": name, "type": "next", "payload": {"data": data, **more}})


def frame(**parts: object) -> str:
    """Any message."""
    return json.dumps(parts)


HONEST: Final = (next_frame(PRICE), next_frame(receipt()))

FRAMES: Final[Mapping[str, Sequence[Frame]]] = {
    "nothing": [""],
    "binary": [b"\x00\xff" * 50],
    "binary JSON": [next_frame(PRICE).encode()],
    "null": ["null"],
    "a number": ["7"],
    "a text": ['"next"'],
    "a list": ["[]"],
    "an empty object": ["{}"],
    "half JSON": ['{"id": "<id>", "type": "next", "payload": {"da'],
    "two messages": [next_frame(PRICE) + next_frame(PRICE)],
    "deep JSON": ['{"id":"<id>","type":"next","payload":' + "[" * DEEP + "]" * DEEP + "}"],
    "very deep JSON": ["[" * 200_000 + "]" * 200_000],
    "a large frame": [next_frame({"myUpdates": "x" * 900_000})],
    "a huge frame": [next_frame({"myUpdates": "x" * 5_000_000})],
    "an enormous number": ['{"id": "<id>", "type": "next", "payload": ' + "9" * 100_000 + "}"],
    "an unknown type": [frame(id=ME, type="mystery")],
    "no type": [frame(id=ME)],
    "a type that is a list": [frame(id=ME, type=["next"])],
    "an old keep-alive": [frame(type="ka")],
    "data of an old protocol": [frame(id=ME, type="data", payload={"data": PRICE})],
    "a ping": [frame(type="ping"), frame(type="ping", payload={"a": [1]})],
    "a ping with a strange payload": [frame(type="ping", payload="x" * 10_000)],
    "a pong": [frame(type="pong")],
    "a second acknowledgement": [frame(type="connection_ack")],
    "somebody else's event": [next_frame(receipt(), name="somebody else")],
    "an event of a number": [next_frame(receipt(), name=99)],
    "an event of nobody": [next_frame(receipt(), name=None)],
    "an event of an object": [next_frame(receipt(), name={"a": 1})],
    "a next without payload": [frame(id=ME, type="next")],
    "a next of null": [frame(id=ME, type="next", payload=None)],
    "a next of a list": [frame(id=ME, type="next", payload=[1])],
    "a next of a number": [frame(id=ME, type="next", payload=7)],
    "a next of nothing": [frame(id=ME, type="next", payload={})],
    "null data": [next_frame(None)],
    "data of another type": [next_frame([1]), next_frame("myUpdates"), next_frame(7)],
    "other data": [next_frame({"yourUpdates": 1}), next_frame({"myUpdates": None})],
    "errors beside data": [next_frame(PRICE, errors=[{"message": "but"}])],
    "errors without a message": [next_frame(None, errors=[{}])],
    "errors that are a text": [next_frame(None, errors="no")],
    "errors that are empty": [next_frame(None, errors=[])],
    "an error": [frame(id=ME, type="error", payload=[{"message": "no"}])],
    "an error of no list": [frame(id=ME, type="error", payload={"message": "no"})],
    "an error of nothing": [frame(id=ME, type="error")],
    "somebody else's error": [frame(id="else", type="error", payload=[{"message": "no"}])],
    "a complete": [frame(id=ME, type="complete")],
    "somebody else's complete": [frame(id="77", type="complete")],
    "a complete of nobody": [frame(type="complete")],
    "a flood": [next_frame(PRICE)] * 5_000,
    "a flood for somebody else": [next_frame(PRICE, name="12345")] * 2_000,
    "an unknown update": [next_frame({"myUpdates": {"errors": [], "update": {"__typename": "X"}}})],
    "no update": [next_frame({"myUpdates": {"errors": [], "update": None}})],
    "an update without its type": [next_frame({"myUpdates": {"errors": [], "update": {}}})],
    "an amount of text": [next_frame(receipt(settlementAmount="1000"))],
    "an amount of a fraction": [next_frame(receipt(settlementAmount=0.5))],
    "no amount": [next_frame(receipt(settlementAmount=None))],
    "a short hash": [next_frame(receipt(initiationVia=begun_by("ab")))],
    "a hash in upper case": [next_frame(receipt(initiationVia=begun_by(HASH.upper())))],
    "an unknown direction": [next_frame(receipt(direction="UP"))],
    "lone surrogates": ['{"id": "<id>", "type": "error", "payload": [{"message": "\\ud800"}]}'],
}

# What is said in place of the acknowledgement.
GREETINGS: Final[Mapping[str, Sequence[Frame]]] = {
    "nothing": [""],
    "binary": [b"\x00"],
    "half JSON": ['{"type": "connection_'],
    "a list": ["[]"],
    "a number": ["1"],
    "an unknown type": [frame(type="welcome")],
    "an error": [frame(type="connection_error", payload={"message": "no"})],
    "an event": [next_frame(PRICE, name="1")],
    "deep JSON": ["[" * 200_000 + "]" * 200_000],
    "a huge frame": ["x" * 5_000_000],
    "a type that is an object": [frame(type={})],
}


@dataclass
class Chatterbox:
    """A server that greets, waits to be subscribed to, and then says what it has to say."""

    greeting: Sequence[Frame] = (frame(type="connection_ack"),)
    frames: Sequence[Frame] = ()
    then: Sequence[Frame] = HONEST
    connections: int = 0
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def upgrade(self, request: web.Request) -> web.StreamResponse:
        """`GET /graphql`."""
        self.connections += 1
        self.headers.append(dict(request.headers))
        socket = web.WebSocketResponse(protocols=(PROTOCOL,), timeout=0.2)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._answer(socket, json.loads(message.data))
        return socket

    async def _answer(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        if message.get("type") == "connection_init":
            await _say(socket, self.greeting, "")
        if message.get("type") == "subscribe":
            await _say(socket, [*self.frames, *self.then], str(message["id"]))


async def _say(socket: web.WebSocketResponse, frames: Sequence[Frame], name: str) -> None:
    for said in frames:
        try:
            if isinstance(said, bytes):
                await socket.send_bytes(said.replace(ME.encode(), name.encode()))
            else:
                await socket.send_str(said.replace(ME, name))
        except ConnectionError:
            return  # the client has had enough
        await asyncio.sleep(0)
