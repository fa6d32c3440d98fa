"""The real application on the real service, and people who send it anything over real sockets."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import struct
import tempfile
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
import structlog
from limits import RateLimitItemPerMinute
from pydantic import SecretStr
from sqlalchemy import text
from yarl import URL

from forwarder.model import creations
from forwarder.model.forward import ForwardState
from forwarder.sandbox import Sandbox
from forwarder.sandbox.accounts import Account
from forwarder.sandbox.phoenixd import Phoenixd
from forwarder.settings import Settings
from forwarder.store.database import Database
from forwarder.web import quotas
from forwarder.web.routes import ROUTES, Route
from forwarder.web.server import Server
from forwarder.worker.service import Service
from tests.hostile.house import ALARMS
from tests.hostile.mangle import HASH, mangled, spoilt
from tests.hostile.web import ANSWERS, BLINK_EVENT, BODIES, NODE_EVENT, TIMES, WORDS, svix

FLOAT: Final = 1_000_000
PRICE: Final = 4_321
POS_TOKEN: Final = "canary-pos-token-1212"
OPERATOR_TOKEN: Final = "canary-operator-token-1313"
SECRET_KEY: Final = "canary-secret-key-1414-0123456789abcdef"
BLINK_KEY: Final = b"canary-blink-webhook-1515"
ANSWER_SECONDS: Final = 10.0
MEMORY: Final = Path("/dev/shm")  # noqa: S108

EXPECTED: Final = frozenset({200, 204, 304, 400, 401, 403, 404, 405, 408, 409, 413, 417, 426, 429})
UNEXPECTED: Final = (*ALARMS, "a call failed unexpectedly", "a websocket failed unexpectedly")


@dataclass(frozen=True, slots=True)
class Heard:
    """What has come back on a connection."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Shop:
    """A service with everything set up, at its address."""

    blink: Sandbox
    node: Phoenixd
    service: Service
    database: Database
    url: URL
    pos: Account
    merchant: Account
    secrets: tuple[str, ...]
    log: list[MutableMapping[str, Any]]
    made: set[str] = field(default_factory=set)
    """The names of the sales that were made, by what was answered."""
    callers: int = 0

    # Over the wire

    async def say(self, said: bytes) -> Heard | None:
        """Send bytes on a connection of their own; None if it was closed without an answer."""
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(self.url.host, self.url.port)
            try:
                writer.write(said)
                return _heard(await reader.read())
            except ConnectionError:
                return None
            finally:
                writer.close()

    def caller(self) -> str:
        """An address that nobody else has: what one may ask for in a minute is tried elsewhere."""
        self.callers += 1
        return f"198.{18 + (self.callers >> 16) % 2}.{self.callers >> 8 & 255}.{self.callers & 255}"

    # The plays

    async def take_call(self, random: Random) -> None:
        """Any call is answered in the contract's form, and makes nothing but what it says."""
        route = random.choice(_CALLS)
        heard = await self.say(self._request(random, route))
        self.look_at_the_log()
        if heard is not None:
            judge(heard)
            self._note(heard)

    async def take_webhook(self, random: Random) -> None:
        """A webhook is taken by its signature alone, and believed in nothing."""
        is_nodes = random.random() < 0.5
        event: Any = NODE_EVENT if is_nodes else BLINK_EVENT
        body = spoilt(random, json.dumps(mangled(random, event)).encode(), 0.2)
        headers = self._signed(body, is_nodes=is_nodes)
        is_signed = random.random() < 0.5
        if not is_signed:
            name = random.choice([*headers])
            headers[name] = random.choice(("", "v1,", "0" * 64, "v1,AAAA", "v2," + headers[name]))
        path = "/api/webhook" if is_nodes else "/api/webhook/blink"
        heard = await self.say(_written("POST", path, [*headers.items(), *self._from()], body))
        self.look_at_the_log()
        assert heard is not None
        assert heard.status == (200 if is_signed else 401)
        judge(heard)

    async def take_frames(self, random: Random) -> None:
        """Whatever comes on a websocket, the others are served."""
        token = random.choice(("a.b.c", POS_TOKEN, ""))
        honest = {"type": "identify", "externalId": "sale-1", "token": token}
        frames = [
            _frame(random, spoilt(random, json.dumps(mangled(random, honest)).encode(), 0.2))
            for _ in range(random.randint(1, 5))
        ]
        upgrade = _written("GET", "/ws", [*_UPGRADE, *self._from()], b"", keep=True)
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(self.url.host, self.url.port)
            try:
                writer.write(upgrade)
                assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
                writer.write(b"".join(frames) + _closing())
                heard = await reader.read()
                assert heard, "not even a greeting"
                assert b"identified" not in heard
                assert b"internal_error" not in heard
            except ConnectionError:
                pass  # it has had enough
            finally:
                writer.close()
        self.look_at_the_log()

    # The judge

    def look_at_the_log(self) -> None:
        """Nothing has failed, and no secret was written down."""
        for line in self.log:
            shown = str(line)
            assert line["event"] not in UNEXPECTED, shown[:4_000]
            assert not [secret for secret in self.secrets if secret in shown], shown[:4_000]
        self.log.clear()

    async def judge(self) -> None:
        """Nothing was kept but what was answered for, no money moved, and a sale goes through."""
        await self.judge_books(payments=0)
        assert not self.blink.sends(self.pos.btc_wallet_id)
        assert not self.node.sends
        await self._sell()
        await self.judge_books(payments=1)
        assert self.blink.balance(self.merchant.btc_wallet_id) == PRICE
        self.look_at_the_log()
        self.blink.verify()

    async def judge_books(self, payments: int) -> None:
        """The database holds what was answered for, and nothing else."""
        counts = {name: await self._count(name) for name in _COUNTED}
        assert counts == {
            "merchants": 1,
            "invoices": len(self.made),
            "payments": payments,
            "forwards": payments,
            "refunds": 0,
        }

    async def _count(self, table: str) -> int:
        async with self.database.reading() as tx:
            found = await tx.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
            return int(found.scalar_one())

    async def _sell(self) -> None:
        order = {"amountSat": PRICE, "externalId": "honest"}
        sale = await self._ask("POST", "/api/invoice", POS_TOKEN, order)
        self.made.add("honest")
        await self.blink.pay(sale["invoice"])
        async with asyncio.timeout(30):
            while sale["status"] != ForwardState.FORWARDED:
                sale = await self._ask("GET", "/api/invoice/honest", POS_TOKEN)
                await asyncio.sleep(0.05)

    async def _ask(self, method: str, path: str, token: str, body: object = None) -> Any:  # noqa: ANN401
        said = b"" if body is None else json.dumps(body).encode()
        headers = [("Authorization", f"Bearer {token}"), *self._from()]
        heard = await self.say(_written(method, path, headers, said))
        assert heard is not None
        assert heard.status == 200, heard
        return json.loads(heard.body)

    def _note(self, heard: Heard) -> None:
        """Remember a sale that was made."""
        if heard.status == 200 and heard.body.startswith(b'{"success": true, "invoice": "'):
            self.made.add(json.loads(heard.body)["externalId"])

    # What is said

    def _from(self) -> list[tuple[str, str]]:
        return [("X-Forwarded-For", self.caller())]

    def _request(self, random: Random, route: Route) -> bytes:
        method = route.method if random.random() < 0.9 else random.choice(METHODS)
        headers = [*self._from(), *_credentials(random, route)]
        if random.random() < 0.4:
            headers.append((random.choice(HEADERS), random.choice(VALUES)))
        return _written(method, _target(random, route), headers, _body(random, route))

    def _signed(self, body: bytes, *, is_nodes: bool) -> dict[str, str]:
        if is_nodes:
            key = self.node.webhook_secret.encode()
            return {"X-Phoenix-Signature": hmac.digest(key, body, "sha256").hex()}
        stamp = str(int(self.service.clock().timestamp()))
        signed = svix(body, BLINK_KEY, "msg_1", stamp)
        return {"svix-id": "msg_1", "svix-timestamp": stamp, "svix-signature": signed}


def judge(heard: Heard) -> None:
    """An answer is in the contract's form."""
    assert heard.status in EXPECTED, heard
    assert heard.headers.get("x-content-type-options") == "nosniff", heard
    if heard.status >= 400 and heard.body:
        body = json.loads(heard.body)
        assert set(body) == {"success", "error"}
        assert set(body["error"]) == {"code", "message"}
        assert body["error"]["code"] != "internal_error"


def _heard(raw: bytes) -> Heard | None:
    raw = raw.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    if not raw:
        return None
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)
    }
    return Heard(int(first.split(" ")[1]), headers, body)


def _written(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes, *, keep: bool = False
) -> bytes:
    """A request as bytes, by our own hand: a library would refuse to write most of these."""
    always = [("Host", "shop.example")] + ([] if keep else [("Connection", "close")])
    if body or method in ("POST", "PUT", "PATCH"):
        always.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in [*always, *headers])]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def _credentials(random: Random, route: Route) -> list[tuple[str, str]]:
    token = OPERATOR_TOKEN if route.role == "operator" else POS_TOKEN
    if random.random() < 0.85:  # what is behind the door is more telling than the door
        return [("Authorization", f"Bearer {token}")]
    return [
        ("Authorization", said) for said in random.choices(AUTHORIZATIONS, k=random.randint(0, 2))
    ]


def _target(random: Random, route: Route) -> str:
    path = route.path
    for name in ("external_id", "payment_hash"):
        path = path.replace(f"{{{name}}}", random.choice((*SEGMENTS, HASH)))
    if random.random() < 0.1:
        path += random.choice(("/", "//", "/..", "/%2e%2e", ";x", "%00", "/" + "a" * 9_000))
    if random.random() < 0.5:
        return path
    known = [] if route.query is None else [*ANSWERS[route.query].items()]
    asked = [
        (name, random.choice(values)) for name, values in random.choices([*known, *_ASKED], k=2)
    ]
    return path + "?" + "&".join(f"{name}={_escaped(random, value)}" for name, value in asked)


_ASKED: Final = (("token", WORDS), ("from", TIMES), ("limit", ("1", "")), ("", ("",)))


def _escaped(random: Random, value: str) -> str:
    if random.random() < 0.05:
        return random.choice(("%", "%zz", "%ff", "%ed%a0%80", "+", "%0d%0aX:%20y", "a=b", "#"))
    octets = value.encode("utf-8", "surrogatepass")
    return "".join(chr(o) if chr(o).isalnum() and o < 128 else f"%{o:02x}" for o in octets)


def _body(random: Random, route: Route) -> bytes:
    if route.body is not None and route.body in BODIES:
        specimen: Any = BODIES[route.body]
        return spoilt(random, json.dumps(mangled(random, specimen, most=2)).encode(), 0.1)
    return b"" if random.random() < 0.9 else random.randbytes(random.choice((1, 200, 20_000)))


def _frame(random: Random, payload: bytes) -> bytes:
    """A websocket frame, now and then of a kind or a length that is none."""
    first = random.choice((0x81,) * 6 + (0x82, 0x89, 0x8A, 0x01, 0x00, 0xF1, 0x83, 0x8F, 0x88))
    mask = 0x80 if random.random() < 0.95 else 0
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", first, mask | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", first, mask | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask | 127, length)
    return head + (bytes(4) if mask else b"") + payload


def _closing() -> bytes:
    return b"\x88\x82" + bytes(4) + struct.pack("!H", 1000)


_UPGRADE: Final = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", base64.b64encode(b"0123456789abcdef").decode()),
]
_CALLS: Final = [route for route in ROUTES if not route.is_socket]
_COUNTED: Final = ("merchants", "invoices", "payments", "forwards", "refunds")
METHODS: Final = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "BREW",
    "get",
)
SEGMENTS: Final = (
    *("sale-1", "honestly", ".", "..", "%2e%2e", "a%2Fb", "%00", "%", "%zz", "%ff", "a" * 100),
    *("a" * 101, "A", "~", "%E2%80%AE", "%F0%9F%92%A9", "a;b", "a,b", "*", "'", "%0d%0a", "0" * 64),
)
HEADERS: Final = (
    *("Authorization", "Origin", "Host", "Expect", "Content-Type", "Content-Encoding", "Accept"),
    *("Transfer-Encoding", "Content-Length", "X-Forwarded-For", "X-Forwarded-Host", "Upgrade"),
    *("X-Forwarded-Proto", "X-Request-Id", "Cookie", "Range", "If-None-Match", "Connection"),
)
VALUES: Final = (
    *("", " ", "null", "*", "0", "-1", "99999999999999999999", "chunked", "gzip", "deflate", "br"),
    *("identity", "text/html", "application/json; charset=utf-16", "100-continue", "close", "a, b"),
    *("https://shop.example", "http://[", "null, null", "198.51.100.1, 10.0.0.1", "::1", "\udcff"),
    *(
        "x" * 7_000,
        "x" * 9_000,
        "bytes=0-",
        "websocket",
        "h2c",
        "Bearer x",
        "\u20ac",
        "a\tb",
        "\x01",
    ),
)
AUTHORIZATIONS: Final = (
    *("Bearer", "Bearer ", "bearer x", "Basic eDp5", f"Bearer {'x' * 600}", "Bearer a b", "\udcff"),
    *(f"Token {POS_TOKEN}", f"Bearer {POS_TOKEN}x", f"Bearer {POS_TOKEN.upper()}", "Bearer \u20ac"),
)


@asynccontextmanager
async def opened(url: str | None = None) -> AsyncIterator[Shop]:
    """A shop that is open; at its end the books are judged."""
    async with AsyncExitStack() as stack:
        where = MEMORY if MEMORY.is_dir() else None
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hostile", dir=where))
        log = stack.enter_context(structlog.testing.capture_logs())
        blink = await stack.enter_async_context(Sandbox.serve())
        _lift_limits(blink, stack.enter_context(pytest.MonkeyPatch.context()))
        node = await stack.enter_async_context(Phoenixd.serve(blink, sats=FLOAT))
        pos, merchant = blink.open_account("blinkpos", sats=FLOAT), blink.open_account("merchant")
        keys = blink.create_key(pos), blink.create_key(merchant)
        settings = _settings(blink, node, keys, url or f"sqlite+aiosqlite:///{folder}/forwarder.db")
        service = await stack.enter_async_context(Service.open(settings))
        server = await stack.enter_async_context(Server.serve(service, "127.0.0.1", 0))
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        secrets = (*keys, POS_TOKEN, OPERATOR_TOKEN, SECRET_KEY, node.password, node.webhook_secret)
        shop = Shop(blink, node, service, database, URL(server.url), pos, merchant, secrets, log)
        yield shop
        await shop.judge()


def _lift_limits(blink: Sandbox, patch: pytest.MonkeyPatch) -> None:
    """Other suites try how much may be asked for; here nobody is to be stopped by it."""
    blink.bank.invoices.own_limit.points = 100_000_000
    patch.setattr(creations, "LIMIT", 100_000_000)
    patch.setattr(quotas, "CALLS_OF_TOKEN", RateLimitItemPerMinute(100_000_000))


def _settings(blink: Sandbox, node: Phoenixd, keys: tuple[str, str], url: str) -> Settings:
    whsec = f"whsec_{base64.b64encode(BLINK_KEY).decode()}"
    return Settings(
        blink_api_url=blink.api_url,
        blink_ws_url=blink.ws_url,
        blinkpos_api_key=SecretStr(keys[0]),
        merchant_api_key=SecretStr(keys[1]),
        pos_token=SecretStr(POS_TOKEN),
        operator_token=SecretStr(OPERATOR_TOKEN),
        forwarder_secret_key=SecretStr(SECRET_KEY),
        phoenixd_host=node.url,
        phoenixd_token=SecretStr(node.password),
        phoenixd_webhook_secret=SecretStr(node.webhook_secret),
        blink_webhook_secret=(SecretStr(whsec),),
        trusted_proxies="127.0.0.1",
        database_url=url,
        retry_max_seconds=1,
    )
