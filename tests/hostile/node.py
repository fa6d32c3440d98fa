"""What is asked of a phoenixd node, and what its answers are worth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from types import MappingProxyType
from typing import Any, Final

from aiohttp import ClientSession
from pydantic import SecretStr

from forwarder.model.forward import PayoutInvoice
from forwarder.model.invoice import Issued
from forwarder.model.ledger import Direction, Entry, EntryStatus, Paid
from forwarder.model.refusal import Refusal
from forwarder.model.units import MAX_SATS, PaymentHash, Sats
from forwarder.phoenixd.client import PhoenixdClient
from forwarder.phoenixd.errors import PhoenixdError
from forwarder.phoenixd.replies import Balance, IncomingPayment, NodeInfo
from tests.hostile.blink import is_hash, judge_reason
from tests.hostile.invoices import ISSUED_AT, PAYMENT_HASH, PREIMAGE, specimen
from tests.hostile.mangle import mangled, spoilt

PASSWORD: Final = "canary-password-6666"
BEGINNING: Final = datetime.fromtimestamp(0, UTC)
PAYOUT: Final = PayoutInvoice(
    payment_request=specimen(1_000),
    payment_hash=PaymentHash(PAYMENT_HASH),
    expires_at=datetime(2100, 1, 1, tzinfo=UTC),
)
MILLISECONDS: Final = int(ISSUED_AT.timestamp() * 1000)

Method = Callable[[PhoenixdClient], Awaitable[object]]


async def _first(pages: AsyncIterator[object]) -> object:
    async for page in pages:
        return page
    return None


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "info": lambda client: client.info(),
        "balance": lambda client: client.balance(),
        "create": lambda client: client.create_invoice(Sats(1_000), "a thing", 900, "sale-1"),
        "pay": lambda client: client.pay_invoice(PAYOUT),
        "received": lambda client: client.received(PAYOUT.payment_hash),
        "sent": lambda client: client.sent(PAYOUT.payment_hash),
        "incoming": lambda client: _first(client.incoming_since(BEGINNING)),
        "outgoing": lambda client: _first(client.outgoing_since(BEGINNING)),
    }
)

_RECEIVED: Final[Mapping[str, object]] = {
    "type": "incoming_payment",
    "subType": "lightning",
    "paymentHash": PAYMENT_HASH,
    "preimage": PREIMAGE,
    "externalId": "sale-1",
    "invoice": specimen(1_000),
    "isPaid": True,
    "receivedSat": 1_000,
    "fees": 0,
    "completedAt": MILLISECONDS,
    "createdAt": MILLISECONDS,
}
_SENT: Final[Mapping[str, object]] = {
    "type": "outgoing_payment",
    "subType": "lightning",
    "paymentId": "0" * 36,
    "paymentHash": PAYMENT_HASH,
    "preimage": PREIMAGE,
    "isPaid": True,
    "sent": 1_008,
    "fees": 8_000,
    "invoice": specimen(1_000),
    "completedAt": MILLISECONDS,
    "createdAt": MILLISECONDS,
}
SPECIMENS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "info": {"nodeId": "02" * 33, "channels": [], "chain": "regtest", "version": "0.7.2"},
        "balance": {"balanceSat": 1_000, "feeCreditSat": 0},
        "create": {
            "amountSat": 1_000,
            "paymentHash": PAYMENT_HASH,
            "serialized": specimen(1_000),
        },
        "pay": {
            "recipientAmountSat": 1_000,
            "routingFeeSat": 8,
            "paymentId": "0" * 36,
            "paymentHash": PAYMENT_HASH,
            "paymentPreimage": PREIMAGE,
        },
        "received": dict(_RECEIVED),
        "sent": dict(_SENT),
        "incoming": [dict(_RECEIVED)],
        "outgoing": [dict(_SENT)],
    }
)


class Reader:
    """Stands in for aiohttp's session, and gives back whatever it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""

    @asynccontextmanager
    async def request(self, *_what: object, **_more: object) -> AsyncIterator[Reader]:
        """The answer."""
        yield self

    async def read(self) -> bytes:
        """The body of it."""
        return self.body


def client_of(reader: Reader) -> PhoenixdClient:
    """A client that believes in a reader."""
    session: ClientSession = reader  # type: ignore[assignment]
    return PhoenixdClient(session, "http://node", SecretStr(PASSWORD))


async def read_answer(random: Random) -> None:
    """A mangled answer is read, or refused with a `PhoenixdError`; only a preimage proves."""
    name = random.choice(_NAMES)
    reader = Reader()
    answer = mangled(random, SPECIMENS[name], most=2)
    reader.body = spoilt(random, json.dumps(answer).encode(), 0.2)
    reader.status = 200 if random.random() < 0.95 else random.choice(_STATUSES)
    try:
        heard = await METHODS[name](client_of(reader))
    except PhoenixdError as exc:
        return judge_reason(exc)
    judge_value(heard, reader.body)


def judge_value(heard: object, body: bytes) -> None:
    """What a call has returned is of a kind that it may return, and proves no more than it may."""
    match heard:
        case Paid():
            assert is_receipt(body, PAYMENT_HASH), "paid, by no preimage"
        case Entry():
            judge_entry(heard, body)
        case list():
            for one in heard:
                judge_entry(one, body)
        case IncomingPayment():
            entry = heard.entry()
            if entry is not None:
                judge_entry(entry, body)
        case Issued():
            assert is_hash(heard.payment_hash)
        case Balance():
            assert 0 <= heard.balance_sat <= MAX_SATS
        case None | Refusal() | NodeInfo():
            pass
        case _:
            raise AssertionError(f"a call has returned {type(heard).__name__}")


def judge_entry(entry: Entry, body: bytes) -> None:
    """An entry is of its direction, can be kept in any database, and is settled only by proof."""
    sign = 1 if entry.direction is Direction.RECEIVE else -1
    assert 0 <= sign * entry.amount <= MAX_SATS, f"{entry.direction} of {entry.amount}"
    assert "\x00" not in (entry.external_id or ""), "no PostgreSQL can keep this name"
    assert len(entry.external_id or "") <= 1_000, "a name without an end"
    if entry.direction is Direction.SEND and entry.status is EntryStatus.SUCCESS:
        assert is_receipt(body, str(entry.payment_hash)), "settled, by no preimage"


def is_receipt(body: bytes, payment_hash: str) -> bool:
    """Whether a preimage of this hash stands in the answer."""
    found = json.loads(body)
    texts = [one for entry in _dicts(found) for one in entry.values() if isinstance(one, str)]
    return any(_hashed(text) == payment_hash for text in texts if is_hash(text))


def _dicts(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def _hashed(preimage: str) -> str:
    return hashlib.sha256(bytes.fromhex(preimage)).hexdigest()


_NAMES: Final = tuple(METHODS)
_STATUSES: Final = (100, 201, 204, 301, 400, 401, 403, 404, 408, 409, 418, 429, 500, 502, 503, 999)
