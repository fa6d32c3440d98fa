"""What clients, pages, proxies and webhooks send, handed to the readers themselves."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from functools import cache
from ipaddress import ip_address, ip_network
from random import Random
from types import SimpleNamespace
from typing import Any, Final, cast

import jwt
from aiohttp import WSMessage, WSMsgType, web
from multidict import CIMultiDict, MultiDict
from pydantic import BaseModel, SecretStr, ValidationError

from forwarder.model import calendar, signature
from forwarder.model.keyring import Keyring
from forwarder.model.signature import Envelope
from forwarder.model.units import MAX_MEMO_BYTES, MAX_SATS, iso
from forwarder.web import questions, requests, traffic
from forwarder.web.errors import ApiError
from forwarder.web.keys import QUOTAS, SERVICE
from forwarder.web.proxies import farthest
from forwarder.web.questions import (
    Broadcast,
    Charted,
    Exported,
    Found,
    Listed,
    Resolution,
    Where,
)
from forwarder.web.quotas import Quotas
from forwarder.web.requests import Identify, Listing, NewInvoice
from forwarder.web.sockets import Socket
from forwarder.web.tokens import PageTokens
from forwarder.web.webhooks import BlinkEvent, NodeEvent
from forwarder.web.websocket import ConnectedPage
from tests.hostile.blink import is_hash
from tests.hostile.mangle import HASH, mangled, spoilt
from tests.web.fakes import NOW, FakeService

# Bodies

BODIES: Final[Mapping[type[BaseModel], Any]] = {
    NewInvoice: {
        "amountSat": 21,
        "description": "two coffees",
        "externalId": "sale-1",
        "expiresInSeconds": 900,
        "source": "blink",
    },
    Resolution: {"note": "paid by hand"},
    Broadcast: {"message": "closing soon"},
    Identify: {"type": "identify", "externalId": "sale-1", "token": "a.b.c"},
}
CODES: Final = frozenset({"invalid_json", "invalid_request"})
_KINDS: Final = tuple(BODIES)


async def read_body(random: Random) -> None:
    """A body is what it says, exactly; everything else is refused with a reason."""
    kind = random.choice(_KINDS)
    raw = spoilt(random, json.dumps(mangled(random, BODIES[kind])).encode(), 0.2)
    try:
        read = requests.read(raw, kind)
    except ApiError as exc:
        return judge_refusal(exc)
    said = json.loads(raw)
    assert set(said) <= set(BODIES[kind]), "a name that is not known was taken"
    assert read.model_dump(by_alias=True, exclude_none=True, mode="json") == {
        name: value for name, value in said.items() if value is not None
    }
    if isinstance(read, NewInvoice):
        judge_order(read)


def judge_refusal(exc: ApiError) -> None:
    """A refusal is the client's doing, and says so in a few words."""
    assert exc.status == 400
    assert exc.code in CODES
    assert len(exc.message) < 1_000


def judge_order(order: NewInvoice) -> None:
    """An order is one that Blink could take."""
    assert type(order.amount_sat) is int
    assert 1 <= order.amount_sat <= MAX_SATS
    assert len((order.description or "").encode()) <= MAX_MEMO_BYTES
    assert order.external_id is None or 1 <= len(order.external_id) <= 100
    assert order.expires_in_seconds is None or 1 <= order.expires_in_seconds <= 86_400


# Queries

TIMES: Final = (
    *("2026-01-31T12:00:00Z", "2026-01-31T12:00:00+02:00", "2026-01-31", "2026-01-31T12:00:00"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999Z"),
    *("2026-02-30T00:00:00Z", "2026-W05-6T12:00:00Z", "20260131T120000Z", "now", "", "0", "-1"),
    *("2026-01-31T24:00:00Z", "2026-01-31T12:00:60Z", "2026-01-31T12:00:00+24:00", "1e9"),
    *("\u0662\u0660\u0662\u0666-01-31T12:00:00Z", "2026-01-31T12:00:00Z\x00", "1970-01-01T00:00Z"),
)
WORDS: Final = (
    *(
        "",
        " ",
        "\x00",
        "a\x00b",
        "%00",
        "'; DROP TABLE payments; --",
        "%",
        "_",
        "\\",
        "\u202e",
        "1",
    ),
    *(
        "0" * 100,
        "9" * 14,
        "9" * 101,
        "abcd",
        HASH,
        HASH[:7],
        "ABCD",
        "\u0661\u0662",
        "\ud800",
        "-",
    ),
)
ANSWERS: Final[Mapping[type[BaseModel], Mapping[str, tuple[str, ...]]]] = {
    Listing: {
        "from": TIMES,
        "limit": ("1", "20", "100", "101", "0", "-1", "1.0", "\u0663", "1e2", ""),
    },
    Listed: {
        "state": ("held", "pending", "HELD", "", "held,queued", "mystery"),
        "search": WORDS,
        "source": ("blink", "phoenixd", "BLINK", ""),
        "limit": ("1", "100", "101", "0", "+5", " 5", "0x10", "5_0"),
        "before": (*TIMES, *(f"{TIMES[0]}_{word}" for word in WORDS)),
    },
    Found: {
        "state": ("open", "closed", "OPEN", "", "open,closed", "all"),
        "after": ("0", "7", "-1", "1.0", "\u0663", "1e2", "", "9" * 19),
        "limit": ("1", "100", "101", "0", "+5"),
    },
    Charted: {
        "from": TIMES,
        "to": TIMES,
        "by": ("hour", "day", "week", "", "HOUR"),
        "zone": (
            "UTC",
            "Europe/Berlin",
            "Pacific/Apia",
            "../../etc/passwd",
            "",
            "utc",
            "/",
            "\x00",
        ),
    },
    Exported: {"from": TIMES, "to": TIMES},
    Where: {"zone": ("UTC", "America/New_York", "Mars/Olympus", "posix/UTC", "\x00", "")},
}
_QUESTIONS: Final = tuple(ANSWERS)


async def read_query(random: Random) -> None:
    """A query can be answered by any database, or is refused."""
    kind = random.choice(_QUESTIONS)
    asked = MultiDict(
        (name, random.choice(values) if random.random() < 0.8 else _text(random))
        for name, values in random.sample([*ANSWERS[kind].items(), *_STRANGERS], 2)
    )
    request = cast(web.Request, SimpleNamespace(query=asked))
    try:
        read = requests.query(request, kind)
    except ApiError as exc:
        return judge_refusal(exc)
    assert set(asked) <= set(ANSWERS[kind]), "a name that is not known was taken"
    judge_question(read)


# Beside them a name that is unknown, and one that may be there twice.
_STRANGERS: Final = (("token", ("x",)), ("limit", ("20", "1e1")))


def judge_question(read: BaseModel) -> None:
    """What is asked can be worked out: no time overflows, no text breaks a statement."""
    match read:
        case Listed():
            wanted = read.wanted()
            assert 1 <= wanted.limit <= 100
            assert wanted.search is None or "\x00" not in wanted.search.text
            if wanted.before is not None:
                assert wanted.before.payment_hash == "" or is_hash(wanted.before.payment_hash)
                assert iso(wanted.before.at).endswith("Z")
        case Charted():
            end = read.until or NOW
            start = read.since or end - calendar.SPAN[read.by]
            assert len(calendar.slots(start, end, read.by, read.zone)) <= calendar.MAX_SLOTS + 1
        case Exported():
            assert questions._EARLIEST <= read.since <= questions._LATEST
        case Found():
            assert 1 <= read.limit <= 100
            assert 0 <= read.after < 2**63
        case Listing():
            assert 1 <= read.limit <= 100
            assert read.since is None or iso(read.since).endswith("Z")


def _text(random: Random) -> str:
    return "".join(chr(random.choice(_POINTS)) for _ in range(random.randrange(40)))


_POINTS: Final = (*range(0x100), 0x202E, 0x2028, 0x661, 0xFEFF, 0xFFFD, 0x1F4A9, 0x10FFFF)

# Tokens and signatures

KEYRING: Final = Keyring((SecretStr("n" * 32), SecretStr("o" * 32)))
TOKENS: Final = PageTokens(KEYRING)
CLAIMS: Final = {"sub": "1", "aud": "page", "iat": NOW, "exp": NOW + timedelta(days=1)}
GOOD: Final = jwt.encode(CLAIMS, KEYRING.keys("page tokens")[0], algorithm="HS256")
_ALGORITHMS: Final[tuple[object, ...]] = ("none", "None", "HS512", "RS256", "", None, 7, [], {})
_HEADERS: Final[tuple[object, ...]] = (
    *({"alg": name} for name in _ALGORITHMS),
    *({"alg": "HS256", more: 1} for more in ("crit", "b64", "kid", "jwk", "zip", "x5u")),
    {"alg": "HS256", "b64": False, "crit": ["b64"]},
    {"typ": "JWT"},
    {},
    [],
    None,
    "HS256",
)
_CLAIMS: Final[tuple[object, ...]] = (
    None,
    1,
    0,
    -1,
    1.5,
    10**400,
    "",
    "page",
    "1",
    [],
    ["page"],
    {},
    True,
)


async def read_token(random: Random) -> None:
    """A token that we have not signed opens nothing; a changed one nothing but the same."""
    found = TOKENS.invoice_id(random.choice(_FORGERIES)(random), NOW)
    assert found in (None, 1), "a token for another invoice"


def _changed_token(random: Random) -> str:
    at = random.randrange(len(GOOD))
    return GOOD[:at] + random.choice(_JWT_LETTERS) + GOOD[at + random.randrange(3) :]


def _mixed_token(random: Random) -> str:
    _, claims, signed = GOOD.split(".")
    return f"{_encoded(random.choice(_HEADERS))}.{claims}.{random.choice((signed, '', 'AAAA'))}"


def _claimed_token(random: Random) -> str:
    """Other claims, under nobody's key."""
    claims = {
        **CLAIMS,
        "iat": 0,
        "exp": 2**40,
        random.choice(tuple(CLAIMS)): random.choice(_CLAIMS),
    }
    said = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    key = random.choice((b"x" * 32, b"", KEYRING.keys("keys at rest")[0]))
    signed = hmac.digest(key, said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(signed).rstrip(b'=').decode()}"


def _no_token(random: Random) -> str:
    return "".join(chr(random.randrange(0x21, 0x7F)) for _ in range(random.randrange(1, 200)))


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


_JWT_LETTERS: Final = "ABCabc019-_.=+/ ~"
_FORGERIES: Final = (_changed_token, _mixed_token, _claimed_token, _no_token)

NODE_SECRET: Final = SecretStr("ef72a3e6a5cf8e1f4b8a1d2c3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5")
SVIX_KEYS: Final = (b"newest!!", b"older key")
SVIX_SECRETS: Final = [SecretStr(f"whsec_{base64.b64encode(key).decode()}") for key in SVIX_KEYS]
STAMP: Final = str(int(NOW.timestamp()))


def svix(body: bytes, key: bytes, name: str = "msg_1", stamp: str = STAMP) -> str:
    """What Svix would write into `svix-signature`."""
    digest = hmac.digest(key, f"{name}.{stamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


async def read_signature(random: Random) -> None:
    """One changed letter anywhere, and nobody has signed it."""
    body = json.dumps(random.choice((NODE_EVENT, BLINK_EVENT))).encode()
    if random.random() < 0.5:
        parts = [body.decode(), hmac.digest(_node_key(), body, "sha256").hex()]
        at, changed = _one_changed(random, parts)
        taken = signature.is_phoenixds(_octets(changed[0]), changed[1], NODE_SECRET)
    else:
        parts = [body.decode(), "msg_1", STAMP, svix(body, random.choice(SVIX_KEYS))]
        at, changed = _one_changed(random, parts)
        envelope = Envelope(*changed[1:])
        taken = signature.is_svixs(_octets(changed[0]), envelope, SVIX_SECRETS, NOW)
    # A second signature beside the right one, apart by a space, is how Svix changes its keys.
    assert not taken or changed == parts or (at == 3 and parts[3] in changed[3].split(" "))


def _one_changed(random: Random, parts: list[str]) -> tuple[int, list[str]]:
    at = random.randrange(len(parts))
    return at, [*parts[:at], _respelt(random, parts[at]), *parts[at + 1 :]]


def _respelt(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    letter = random.choice(_HEADER_LETTERS)
    return random.choice(
        (
            text[:at] + letter + text[at + 1 :],
            text[:at] + letter + text[at:],
            text[:at],
            text.swapcase(),
            text + random.choice((" ", ",", "=", "==", "\udcff")),
            "",
            text * 2,
            letter * random.randrange(300),
        )
    )


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _node_key() -> bytes:
    return NODE_SECRET.get_secret_value().encode()


# What a header holds once it is read: no line ends, and what is no UTF-8 as lone surrogates.
_HEADER_LETTERS: Final = (
    *map(chr, (*range(0x20, 0x7F), 9, 0xE9, 0x661, 0x1F4A9)),
    "\udcff",
    "\udc80",
)

# Webhooks

NODE_EVENT: Final = {
    "type": "payment_received",
    "timestamp": 1_712_785_550_079,
    "amountSat": 8,
    "paymentHash": HASH,
    "externalId": "pos-42",
    "payerNote": None,
    "payerKey": None,
}
BLINK_EVENT: Final = {
    "accountId": "a",
    "eventType": "receive.lightning",
    "walletId": "w",
    "transaction": {
        "id": "6" * 24,
        "settlementAmount": 8,
        "initiationVia": {"type": "lightning", "paymentHash": HASH},
    },
}
EVENTS: Final[tuple[tuple[type[NodeEvent | BlinkEvent], Any], ...]] = (
    (NodeEvent, NODE_EVENT),
    (BlinkEvent, BLINK_EVENT),
)


async def read_webhook(random: Random) -> None:
    """A webhook speaks of a payment whose hash it says, or is not understood, or of no interest."""
    kind, event = random.choice(EVENTS)
    raw = spoilt(random, json.dumps(mangled(random, event)).encode(), 0.2)
    try:
        income = kind.model_validate_json(raw).income
    except ValidationError:
        return
    assert income is None or (is_hash(income) and income.encode() in raw)


# Headers

TRUSTED: Final = (ip_network("10.0.0.0/8"), ip_network("fd00::1/128"))
ADDRESSES: Final = (
    *("10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "203.0.113.9", "2001:db8::1", "10.0.0.1:80"),
    *("[fd00::1]:80", "[fd00::1", "fe80::1%eth0", "unknown", "", " ", "10.0.0.256", "010.0.0.1"),
    *("0x0a.0.0.1", "1", "::", "for=10.0.0.1", '"10.0.0.1"', "_hidden", "10.0.0.1\x00", "\udcff"),
    *("\u0661\u0660.0.0.1", "[]", "[", "]:", ":", "10.0.0.1:", "10.0.0.1:80:80", "fe80::1%" * 20),
)


async def read_forwarded(random: Random) -> None:
    """Where a call comes from is what a proxy of ours has said, or who is connected."""
    remote = random.choice((*ADDRESSES[:5], None))
    said = [
        word if random.random() < 0.7 else _respelt(random, word)
        for word in random.choices(ADDRESSES, k=random.randrange(6))
    ]
    found = farthest(remote, said, TRUSTED)
    if remote is None or not _is_trusted(remote):
        assert found == (remote or "unknown"), "a stranger's word was believed"
    elif found != remote:
        assert str(ip_address(found)) == found
    request = cast(web.Request, SimpleNamespace(headers={traffic.REQUEST_ID: _text(random)}))
    assert 8 <= len(traffic._request_id(request)) <= 64
    assert traffic._request_id(request).isprintable()


def _is_trusted(text: str) -> bool:
    return text in ("10.0.0.1", "fd00::1", "::ffff:10.0.0.1")


# Frames of pages


class _Heard(Socket):
    """A socket that writes down what it is told to send."""

    def __init__(self) -> None:
        self.name = "page"
        self.sent: list[Mapping[str, object]] = []

    async def send(self, body: Mapping[str, object]) -> None:
        self.sent.append(json.loads(json.dumps(body)))


@cache
def _till() -> tuple[FakeService, str]:
    service = FakeService()
    return service, service.token(service.sale())


async def read_frame(random: Random) -> None:
    """A frame is answered in the contract's form, and none but the right token shows a sale."""
    service, token = _till()
    app = {SERVICE: service, QUOTAS: Quotas()}
    request = SimpleNamespace(app=app, remote="127.0.0.1", headers=CIMultiDict[str]())
    socket = _Heard()
    page = ConnectedPage(cast(web.Request, request), socket)
    honest = {"type": "identify", "externalId": "sale-1", "token": token}
    raw = spoilt(random, json.dumps(mangled(random, honest)).encode(), 0.2)
    await page.listen(cast(web.WebSocketResponse, _frames(random, raw)))
    greeting, *answers = socket.sent
    assert greeting["type"] == "connected"
    for said in answers:
        judge_frame(said, raw, token)


def judge_frame(said: Mapping[str, object], raw: bytes, token: str) -> None:
    """An answer to a frame."""
    if said["type"] == "identified":
        assert token.encode() in raw, "identified without its token"
        return
    assert set(said) == {"type", "code", "message"}, said
    assert said["type"] == "error"
    assert said["code"] in {"invalid_json", "invalid_request", "unauthorized"}


async def _frames(random: Random, raw: bytes) -> AsyncIterator[WSMessage]:
    if random.random() < 0.1:
        yield WSMessage(WSMsgType.BINARY, raw, None)
    yield WSMessage(WSMsgType.TEXT, raw.decode(errors="replace"), None)
