"""Webhooks: what is genuine is kept before it is answered, and nothing else does anything."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from forwarder import failpoints
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash
from forwarder.web.app import make_app
from tests.web.fakes import NOW, FakeService

NODE, BLINK = "/api/webhook", "/api/webhook/blink"
NODE_SECRET = "ef72a3e6a5cf8e1f4b8a1d2c3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5"
KEYS = (b"the newest key", b"an older key")
HASH = PaymentHash("e628f8a516d9c4ba55eb0c4ce1b2a2a0eb9b5c1dba7bd1fc8fb8e1b5b9e4b0d1")
RECEIVED = {
    "type": "payment_received",
    "timestamp": 1712785550079,
    "amountSat": 8,
    "paymentHash": HASH,
    "externalId": "pos-42",
    "payerNote": None,
    "payerKey": None,
}


@dataclass
class FakeHints:
    """What the worker would keep."""

    kept: list[tuple[Source, PaymentHash]] = field(default_factory=list)
    doubted: list[Source] = field(default_factory=list)
    failure: Exception | None = None

    async def keep(self, source: Source, payment_hash: PaymentHash) -> None:
        if self.failure is not None:
            raise self.failure
        self.kept.append((source, payment_hash))

    def doubt(self, source: Source) -> None:
        self.doubted.append(source)


@dataclass
class Mouth:
    """Who tells the service something."""

    session: ClientSession
    hints: FakeHints
    service: FakeService

    async def say(self, path: str, body: bytes, headers: Any) -> int:  # noqa: ANN401 - any headers
        async with self.session.post(path, data=body, headers=headers) as answer:
            told = await answer.json()
            if answer.status == 401:
                assert told["error"]["message"] == "this call is not signed as it has to be"
            return answer.status

    async def say_as_node(self, body: bytes) -> int:
        return await self.say(NODE, body, node_headers(body))

    async def say_as_blink(self, body: bytes, key: bytes = KEYS[0]) -> int:
        return await self.say(BLINK, body, svix_headers(body, key))


@pytest.fixture
async def mouth() -> AsyncIterator[Mouth]:
    hints, service = FakeHints(), FakeService()
    service.hints = hints  # type: ignore[attr-defined]
    service.settings.phoenixd_webhook_secret = SecretStr(NODE_SECRET)
    service.settings.blink_webhook_secret = tuple(
        SecretStr(f"whsec_{base64.b64encode(key).decode()}") for key in KEYS
    )
    async with (
        TestServer(make_app(service)) as server,  # type: ignore[arg-type]
        ClientSession(server.make_url("/")) as session,
    ):
        yield Mouth(session, hints, service)


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


def pretty(document: object) -> bytes:
    return json.dumps(document, indent=4).encode()


def node_headers(body: bytes, secret: str = NODE_SECRET) -> dict[str, str]:
    return {"X-Phoenix-Signature": hmac.digest(secret.encode(), body, "sha256").hex()}


def svix_headers(body: bytes, key: bytes = KEYS[0], age: int = 0) -> dict[str, str]:
    stamp = str(int(NOW.timestamp()) - age)
    signature = hmac.digest(key, f"msg_1.{stamp}.".encode() + body, "sha256")
    return {
        "svix-id": "msg_1",
        "svix-timestamp": stamp,
        "svix-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def of_blink(kind: str = "receive.lightning", via: object = None) -> bytes:
    via = via or {"type": "lightning", "paymentHash": HASH, "pubkey": "02ab"}
    transaction = {"id": "655cd1926445716f60b89418", "status": "success", "initiationVia": via}
    return json.dumps({"eventType": kind, "walletId": "w", "transaction": transaction}).encode()


async def test_what_a_node_tells_is_kept(mouth: Mouth) -> None:
    assert await mouth.say_as_node(pretty(RECEIVED)) == 200
    assert mouth.hints.kept == [(Source.PHOENIXD, HASH)]


@pytest.mark.parametrize("key", KEYS)
async def test_what_blink_tells_is_kept(mouth: Mouth, key: bytes) -> None:
    assert await mouth.say_as_blink(of_blink(), key) == 200
    assert mouth.hints.kept == [(Source.BLINK, HASH)]


async def test_what_is_told_again_is_answered_again(mouth: Mouth) -> None:
    for _ in range(3):
        assert await mouth.say_as_node(pretty(RECEIVED)) == 200
        assert await mouth.say_as_blink(of_blink()) == 200


GENUINE = node_headers(pretty(RECEIVED))["X-Phoenix-Signature"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Phoenix-Signature": ""},
        {"X-Phoenix-Signature": GENUINE.upper()},
        {"X-Phoenix-Signature": GENUINE[:-2]},
        {"X-Phoenix-Signature": f"{GENUINE},{GENUINE}"},
        [("X-Phoenix-Signature", GENUINE), ("X-Phoenix-Signature", GENUINE)],
        node_headers(json.dumps(RECEIVED).encode()),
        node_headers(pretty(RECEIVED), "another secret"),
        {"Authorization": f"Bearer {NODE_SECRET}"},
    ],
    ids=["none", "empty", "upper", "cut", "list", "twice", "anew", "forged", "bearer"],
)
async def test_what_no_node_has_signed_is_refused_and_kept_nowhere(
    mouth: Mouth, headers: object
) -> None:
    assert await mouth.say(NODE, pretty(RECEIVED), headers) == 401
    assert not mouth.hints.kept


def _without(name: str) -> dict[str, str]:
    headers = svix_headers(of_blink())
    del headers[name]
    return headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        _without("svix-id"),
        _without("svix-timestamp"),
        _without("svix-signature"),
        svix_headers(of_blink()) | {"svix-signature": ""},
        svix_headers(of_blink()) | {"svix-signature": "v1"},
        {k: v.upper() for k, v in svix_headers(of_blink()).items()},
        {k: v[:-3] for k, v in svix_headers(of_blink()).items()},
        [*svix_headers(of_blink()).items(), *svix_headers(of_blink()).items()],
        svix_headers(of_blink(), b"nobody's key"),
        svix_headers(of_blink() + b" "),
        svix_headers(of_blink(), age=301),
        svix_headers(of_blink(), age=-301),
    ],
)
async def test_what_svix_has_not_signed_lately_is_refused_and_kept_nowhere(
    mouth: Mouth, headers: object
) -> None:
    assert await mouth.say(BLINK, of_blink(), headers) == 401
    assert not mouth.hints.kept


async def test_of_several_signatures_one_has_to_be_good(mouth: Mouth) -> None:
    headers = svix_headers(of_blink(), KEYS[1])
    headers["svix-signature"] = f"v1,AAAA v1a,BBBB {headers['svix-signature']}"
    assert await mouth.say(BLINK, of_blink(), headers) == 200
    assert mouth.hints.kept == [(Source.BLINK, HASH)]


@pytest.mark.parametrize("kind", ["payment_sent", "channel_opened", ""])
async def test_other_news_of_a_node_is_none_of_ours(mouth: Mouth, kind: str) -> None:
    assert await mouth.say_as_node(pretty({**RECEIVED, "type": kind})) == 200
    assert await mouth.say_as_node(pretty({"type": kind})) == 200
    assert not mouth.hints.kept
    assert not mouth.hints.doubted


@pytest.mark.parametrize(
    "body",
    [
        of_blink("send.lightning"),
        of_blink("receive.intraledger", {"type": "intraledger", "counterPartyUsername": "bob"}),
        of_blink("receive.onchain", {"type": "onchain", "address": "bc1"}),
        b'{"eventType": "account.locked"}',
    ],
)
async def test_other_news_of_blinks_is_none_of_ours(mouth: Mouth, body: bytes) -> None:
    assert await mouth.say_as_blink(body) == 200
    assert not mouth.hints.kept
    assert not mouth.hints.doubted


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{",
        b"null",
        pretty({**RECEIVED, "paymentHash": None}),
        pretty({**RECEIVED, "paymentHash": HASH.upper()}),
        pretty({**RECEIVED, "paymentHash": HASH[1:]}),
        pretty({"paymentHash": HASH}),
        of_blink("receive.lightning", {"type": "lightning"}),
        of_blink("receive.lightning", {"type": "by pigeon"}),
        b'{"eventType": "receive.lightning"}',
    ],
)
async def test_what_is_signed_and_not_understood_has_the_ledger_read(
    mouth: Mouth, body: bytes
) -> None:
    assert await mouth.say_as_node(body) == 200
    assert await mouth.say_as_blink(body) == 200
    assert not mouth.hints.kept
    assert mouth.hints.doubted == [Source.PHOENIXD, Source.BLINK]


@pytest.mark.parametrize("path", [NODE, BLINK])
async def test_a_body_of_a_megabyte_is_not_read(mouth: Mouth, path: str) -> None:
    body = b" " * 1_000_000
    assert await mouth.say(path, body, node_headers(body) | svix_headers(body)) == 413


async def test_what_cannot_be_kept_is_not_answered_as_if_it_were(mouth: Mouth) -> None:
    mouth.hints.failure = OSError("disk full")
    assert await mouth.say_as_node(pretty(RECEIVED)) == 503
    assert await mouth.say_as_blink(of_blink()) == 503


async def test_without_a_secret_there_is_no_webhook(mouth: Mouth) -> None:
    mouth.service.settings.phoenixd_webhook_secret = None
    mouth.service.settings.blink_webhook_secret = ()
    for path in (NODE, BLINK):
        body = pretty(RECEIVED)
        async with mouth.session.post(path, data=body) as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["code"] == "webhook_disabled"
