"""Makes answers of Blink's into what no Blink would answer; the same seed makes the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

Json = Any
Place = tuple[str | int, ...]

DEEP: Final = 3_000

HASH: Final = "ab" * 32
JUNK: Final[tuple[Json, ...]] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e300, 2**53, 2**63, -(2**63), 10**30),
    *("", " ", "0", "SUCCESS", "FAILURE", "MYSTERY", "success", "SEND", "RECEIVE", "null", "\x00"),
    *("\ud800", "\U0001f4a9" * 40, "x" * 10_000, "../../etc/passwd", "<script>", "%s%n{0}", HASH),
    *(
        "lnbc1",
        "lnbcrt10u1" + "q" * 200,
        [],
        {},
        [[]],
        [None],
        {"": None},
        {"__typename": "LnUpdate"},
    ),
)

SPECIMENS: Final[dict[str, Json]] = {
    "create": {
        "lnInvoiceCreate": {
            "errors": [],
            "invoice": {
                "paymentHash": HASH,
                "paymentRequest": "lnbcrt10u1" + "q" * 300,
                "satoshis": 1_000,
                "createdAt": 1_767_225_600,
            },
        }
    },
    "cancel": {"lnInvoiceCancel": {"errors": [], "success": True}},
    "pay": {
        "lnInvoicePaymentSend": {
            "errors": [{"message": "no", "code": "X"}],
            "status": "SUCCESS",
            "transaction": {"id": "6" * 24, "direction": "SEND", "status": "SUCCESS"},
        }
    },
    "entries_of": {
        "me": {
            "defaultAccount": {
                "walletById": {
                    "transactionsByPaymentHash": [
                        {
                            "id": "6" * 24,
                            "direction": "SEND",
                            "status": "SUCCESS",
                            "settlementAmount": -1_000,
                            "settlementCurrency": "BTC",
                            "externalId": "fwd-1",
                            "initiationVia": {
                                "__typename": "InitiationViaLn",
                                "paymentHash": HASH,
                            },
                            "createdAt": 1_767_225_600,
                        }
                    ]
                }
            }
        }
    },
    "wallets": {"me": {"defaultAccount": {"wallets": [{"id": "0" * 36, "walletCurrency": "BTC"}]}}},
}
_ENTRY: Final = SPECIMENS["entries_of"]["me"]["defaultAccount"]["walletById"][
    "transactionsByPaymentHash"
][0]
_LISTED: Final = {
    "paymentHash": HASH,
    "paymentRequest": "lnbcrt10u1" + "q" * 300,
    "externalId": "fwd-1",
    "createdAt": 1_767_225_600,
}
SPECIMENS["invoice_of"] = {
    "me": {"defaultAccount": {"walletById": {"invoiceByPaymentHash": _LISTED}}}
}
SPECIMENS["invoices"] = {
    "me": {
        "defaultAccount": {
            "invoices": {
                "pageInfo": {"endCursor": "c", "hasNextPage": False},
                "edges": [{"node": _LISTED}],
            }
        }
    }
}
SPECIMENS["credentials"] = {
    "authorization": {"scopes": ["READ", "WRITE"]},
    "globals": {"network": "regtest"},
    "me": {
        "defaultAccount": {"wallets": [{"id": "0" * 36, "walletCurrency": "BTC", "balance": 1_000}]}
    },
}
SPECIMENS["entries"] = {
    "me": {
        "defaultAccount": {
            "transactions": {
                "pageInfo": {"endCursor": "c", "hasNextPage": False},
                "edges": [{"node": _ENTRY}],
            }
        }
    }
}


def mangled(random: Random, answer: Json, most: int = 3) -> Json:
    """A copy in which one to `most` places are not as they were."""
    answer = copy.deepcopy(answer)
    for _ in range(random.randint(1, most)):
        place = random.choice([(), *places(answer)])
        answer = _put(answer, place, random.choice(_MANGLERS)(random, _at(answer, place)))
    return answer


def places(value: Json, above: Place = ()) -> Iterator[Place]:
    """Every place inside a value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for name, inner in items:
        yield (*above, name)
        yield from places(inner, (*above, name))


def encoded(random: Random, answer: Json) -> bytes:
    """An answer as bytes, now and then not quite JSON either."""
    return spoilt(random, json.dumps({"data": answer}).encode(), 0.4)


def spoilt(random: Random, body: bytes, often: float) -> bytes:
    """Bytes that, as often as that, are cut off, changed, or there twice."""
    return random.choice(_ENCODERS)(random, body) if random.random() < often else body


def _at(value: Json, place: Place) -> Json:
    for name in place:
        value = value[name]
    return value


def _put(value: Json, place: Place, new: Json) -> Json:
    if not place:
        return None if new is _GONE else new
    inside = _at(value, place[:-1])
    if new is _GONE:
        del inside[place[-1]]
    else:
        inside[place[-1]] = new
    return value


class _Gone:
    """Stands for nothing at all."""


_GONE: Final = _Gone()


def _junk(random: Random, _: Json) -> Json:
    return copy.deepcopy(random.choice(JUNK))


def _gone(random: Random, old: Json) -> Json:
    return _GONE if not isinstance(old, dict) or random.random() < 0.3 else {}


def _more(random: Random, old: Json) -> Json:
    if isinstance(old, dict):
        return {**old, random.choice(("extra", "amount", "__proto__", "")): _junk(random, None)}
    if isinstance(old, list):
        return old * random.randint(2, 40) if len(old) < 50 else old
    return [old]


def _wrapped(random: Random, old: Json) -> Json:
    return random.choice(({"data": old}, [old], str(old)[:1000], {"value": old}))


_MANGLERS: Final[tuple[Callable[[Random, Json], Json], ...]] = (
    _junk,
    _junk,
    _gone,
    _more,
    _wrapped,
)


def _cut(random: Random, body: bytes) -> bytes:
    return body[: random.randrange(len(body))]


def _flipped(random: Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(random.randint(1, 5)):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _twice(random: Random, body: bytes) -> bytes:
    return body + random.choice((b"", b",", b"\n", b"\x00")) + body


def _named_twice(_: Random, body: bytes) -> bytes:
    return body[:-1] + b', "data": null, "errors": "no"}'


_ENCODERS: Final[tuple[Callable[[Random, bytes], bytes], ...]] = (
    _cut,
    _flipped,
    _twice,
    _named_twice,
)
