"""What clients send that nobody should, written down: each with exactly what is to become of it."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import jwt
from pydantic import BaseModel

from forwarder.web.questions import Broadcast, Charted, Exported, Listed, Resolution, Where
from forwarder.web.requests import Identify, Listing, NewInvoice
from forwarder.web.webhooks import BlinkEvent, NodeEvent
from tests.hostile.mangle import DEEP, HASH
from tests.hostile.web import (
    BLINK_EVENT,
    BODIES,
    CLAIMS,
    GOOD,
    KEYRING,
    NODE_EVENT,
    STAMP,
    SVIX_KEYS,
    svix,
)
from tests.web.fakes import NOW

NOT_JSON: Final = "invalid_json"
NOT_TAKEN: Final = "invalid_request"

# Values, as they stand in a body

WHOLE: Final = ("1", "21", "86400", "500", "-0", "0", "-1", "86401", "2147483648", "4294967296")
LARGE: Final = (
    *("10000000000000", "10000000000001", "9007199254740992", "9007199254740993"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "9" * 4_300),
)
BROKEN: Final = (
    *(
        "1.0",
        "1e3",
        "1E0",
        "0.1",
        "-0.0",
        "1e-400",
        "1e308",
        "1e400",
        "-1e400",
        "21.000000000000001",
    ),
)
OTHERS: Final = (
    *("null", "true", "false", "[]", "[1]", "[[[[]]]]", "{}", '{"amountSat": 1}', '{"": null}'),
)
PLAIN: Final = (
    *(
        '"a"',
        '"1"',
        '"sale-1"',
        '"two coffees"',
        '"identify"',
        '"blink"',
        '"phoenixd"',
        '"caf\\u00e9"',
    ),
    *(
        '"\\ud83d\\ude00"',
        '"..."',
        '"a.b_c-d"',
        '" "',
        '"<script>"',
        '"%s%n{0}"',
        '"../../etc/passwd"',
    ),
    *(
        '"BLINK"',
        '"Identify"',
        '"NaN"',
        '"1e3"',
        '"\\u202eevil"',
        '"\\ufeff"',
        '"a\\tb"',
        '"a\\nb"',
    ),
)
STRANGE: Final = (
    *('""', '"."', '".."', '"\\u0000"', '"a\\u0000b"', '"\\u001b[2J"', '"\\r\\n"', '"\\u007f"'),
    *('"\\u0085"', '"\\ud800"', '"a\\udfff"', '"\\udc00\\ud800"'),
)
LONG: Final = tuple(
    json.dumps(text, ensure_ascii=False)
    for text in ("x" * 100, "x" * 101, "x" * 500, "x" * 501, "x" * 639, "x" * 640, "\u20ac" * 213)
)
NO_VALUES: Final = (
    *("", "01", "+1", ".5", "1.", "0x10", "1_000", "1,000", "1 0", "'1'", "undefined", "None"),
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "\u0661",
        "tru",
        "nul",
        '"',
        '"a',
        '"\\x"',
        '"\\u12"',
        '"\t"',
    ),
    *('"\x00"', "[1,]", "{,}", "[", "{", "]", "//", "/*1*/1", "1;", "9" * 5_000, "[" * DEEP),
)
JSON_VALUES: Final = (*WHOLE, *LARGE, *BROKEN, *OTHERS, *PLAIN, *STRANGE, *LONG)

_WORDS: Final = {*PLAIN, *LONG, '"."', '".."'}
_NAMES: Final = {
    *(
        '"a"',
        '"1"',
        '"sale-1"',
        '"identify"',
        '"blink"',
        '"phoenixd"',
        '"..."',
        '"a.b_c-d"',
        '"BLINK"',
    ),
    *('"Identify"', '"NaN"', '"1e3"', LONG[0]),
}
_NOTES: Final = {*PLAIN, *LONG[:3], LONG[6], '"."', '".."'}

TAKEN: Final[Mapping[tuple[type[BaseModel], str], set[str]]] = {
    (NewInvoice, "amountSat"): {
        *("1", "21", "86400", "500", "86401", "2147483648", "4294967296", "10000000000000")
    },
    (NewInvoice, "expiresInSeconds"): {"1", "21", "86400", "500", "null"},
    (NewInvoice, "description"): {*_WORDS, '""', "null"} - {LONG[5]},
    (NewInvoice, "externalId"): {*_NAMES, "null"},
    (NewInvoice, "source"): {'"blink"', '"phoenixd"', "null"},
    (Resolution, "note"): _NOTES,
    (Broadcast, "message"): _NOTES,
    (Identify, "type"): {'"identify"'},
    (Identify, "externalId"): _NAMES,
}
"""The values of each field that are taken; every other is refused."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent, and the code that it is refused with; None if it is taken."""

    kind: type[BaseModel]
    sent: bytes
    code: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.kind.__name__} {self.name}"


def _values() -> list[Case]:
    """Each value in each field."""
    return [
        Case(kind, with_literal(kind, field, literal), code, f"{field}={ascii(literal)[:40]}")
        for (kind, field), taken in TAKEN.items()
        for literals, refused in ((JSON_VALUES, NOT_TAKEN), (NO_VALUES, NOT_JSON))
        for literal in literals
        for code in [None if literal in taken else refused]
    ]


def with_literal(kind: type[BaseModel], field: str, literal: str) -> bytes:
    """A good body, in which one value stands as it is written here."""
    mark = "the value goes here"
    body = json.dumps({**BODIES[kind], field: mark})
    return body.replace(json.dumps(mark), literal).encode("utf-8", "surrogatepass")


# Whole bodies

DOCUMENTS: Final[Mapping[str, tuple[bytes, str]]] = {
    "nothing": (b"", NOT_JSON),
    "a space": (b" ", NOT_JSON),
    "a NUL": (b"\x00", NOT_JSON),
    "null": (b"null", NOT_TAKEN),
    "true": (b"true", NOT_TAKEN),
    "a number": (b"21", NOT_TAKEN),
    "a text": (b'"amountSat"', NOT_TAKEN),
    "a list": (b"[]", NOT_TAKEN),
    "a list of bodies": (b'[{"amountSat": 21}]', NOT_TAKEN),
    "an empty object": (b"{}", NOT_TAKEN),
    "a form": (b"amountSat=21&note=x", NOT_JSON),
    "XML": (b"<?xml version='1.0'?><amountSat>21</amountSat>", NOT_JSON),
    "YAML": (b"amountSat: 21\n", NOT_JSON),
    "a comment": (b'{"amountSat": 21} // sat', NOT_JSON),
    "two documents": (b'{"amountSat": 21}{"amountSat": 22}', NOT_JSON),
    "two lines of documents": (b'{"amountSat": 21}\n{"amountSat": 22}', NOT_JSON),
    "single quotes": (b"{'amountSat': 21}", NOT_JSON),
    "names without quotes": (b"{amountSat: 21}", NOT_JSON),
    "a comma too many": (b'{"amountSat": 21,}', NOT_JSON),
    "half": (b'{"amountSat": 2', NOT_JSON),
    "a name twice": (b'{"amountSat": 21, "amountSat": 22}', NOT_JSON),
    "a name twice, once escaped": (b'{"amountSat": 21, "amount\\u0053at": 22}', NOT_JSON),
    "a name twice, deep inside": (b'{"amountSat": 21, "x": {"a": 1, "a": 2}}', NOT_JSON),
    "an unknown name": (b'{"amountSat": 21, "merchant": "bob"}', NOT_TAKEN),
    "a name in lower case": (b'{"amountsat": 21}', NOT_TAKEN),
    "a name as Python writes it": (b'{"amount_sat": 21}', NOT_TAKEN),
    "a name with a space": (b'{"amountSat ": 21}', NOT_TAKEN),
    "an empty name": (b'{"": 21}', NOT_TAKEN),
    "a prototype": (b'{"__proto__": {"amountSat": 21}}', NOT_TAKEN),
    "a class": (b'{"__class__": "Order"}', NOT_TAKEN),
    "a byte order mark": (b'\xef\xbb\xbf{"amountSat": 21}', NOT_JSON),
    "UTF-16": ('{"amountSat": 21}'.encode("utf-16"), NOT_JSON),
    "UTF-16 without a mark": ('{"amountSat": 21}'.encode("utf-16-le"), NOT_JSON),
    "UTF-32": ('{"amountSat": 21}'.encode("utf-32-be"), NOT_JSON),
    "Latin-1": ('{"description": "caf\u00e9"}'.encode("latin-1"), NOT_JSON),
    "an overlong slash": (b'{"description": "\xc0\xaf"}', NOT_JSON),
    "a surrogate in UTF-8": (b'{"description": "\xed\xa0\x80"}', NOT_JSON),
    "beyond Unicode": (b'{"description": "\xf4\x90\x80\x80"}', NOT_JSON),
    "half a character": (b'{"description": "\xe2\x82', NOT_JSON),
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, NOT_JSON),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, NOT_JSON),
    "a deep value": (b'{"amountSat": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", NOT_JSON),
    "an endless number": (b'{"amountSat": ' + b"1" * 16_000 + b"}", NOT_JSON),
    "an endless name": (b'{"' + b"a" * 16_000 + b'": 1}', NOT_TAKEN),
    "many names": (json.dumps({f"n{n}": n for n in range(1_000)}).encode(), NOT_TAKEN),
}

BODY_CASES: Final = [
    *_values(),
    *(Case(kind, sent, code, name) for kind in BODIES for name, (sent, code) in DOCUMENTS.items()),
]

# Queries

_TIMES_TAKEN: Final = (
    *("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123Z", "2026-01-31T12:00:00+02:00"),
    *("2026-01-31 12:00:00Z", "20260131T120000Z", "2026-W05-6T12:00:00Z", "0001-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "2026-01-31T12Z"),
)
_TIMES_REFUSED: Final = (
    *("", " ", "now", "yesterday", "0", "1767225600", "2026-01-31", "2026-01-31T12:00:00"),
    *("2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-31T24:00:01Z", "T12:00:00Z"),
    *("2026-01-31T12:00:60Z", "2026-01-31T12:00:00+24:00", "0001-01-01T00:00:00+14:00"),
    *("9999-12-31T23:59:59-14:00", "10000-01-01T00:00:00Z", "-001-01-01T00:00:00Z"),
    *("2026-01-31T12:00:00Z\x00", "2026-01-31T12:00:00Z'", "\u0662026-01-31T12:00:00Z"),
)
_COUNTS_REFUSED: Final = (
    *("", " ", "0", "-1", "+1", "101", "1.0", "1e1", "0x10", "5_0", " 5", "5 ", "\u0665", "ten"),
    *("9" * 7, "9" * 5_000, "null", "NaN", "1,2", "1;2", "5\x00", "\xb2"),
)
_ZONES_REFUSED: Final = (
    *("", " ", "utc", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe", "Europe/", "."),
    *("Europe/Berlin\x00", "UTC ", "+02:00", "posixrules/..", "Europe\\Berlin"),
)
_Q: Final[Mapping[tuple[type[BaseModel], str], tuple[Sequence[str], Sequence[str]]]] = {
    (Listing, "from"): (_TIMES_TAKEN, _TIMES_REFUSED),
    (Listing, "limit"): (("1", "20", "100", "007"), _COUNTS_REFUSED),
    (Listed, "limit"): (("1", "20", "100", "000100"), _COUNTS_REFUSED),
    (Listed, "before"): (
        (*_TIMES_TAKEN, f"2026-01-31T12:00:00Z_{HASH}", "2026-01-31T12:00:00Z_"),
        (
            *_TIMES_REFUSED,
            *(f"2026-01-31T12:00:00Z_{end}" for end in ("x", HASH[:63], HASH.upper(), "'", "\x00")),
        ),
    ),
    (Listed, "search"): (
        (
            "a",
            "sale-1",
            HASH,
            "%",
            "_",
            "'; DROP TABLE payments; --",
            "\u20bf",
            "9" * 100,
            " ",
            "\\",
        ),
        ("", "x" * 101, "\x00", "a\x00", "\x1b[2J", "\x7f", "\r", "\x85"),
    ),
    (Listed, "state"): (
        ("held", "pending", "forwarded", "unmatched"),
        ("", "HELD", "held ", "held,queued", "lost", "0", "None", "\x00"),
    ),
    (Listed, "source"): (("blink", "phoenixd"), ("", "BLINK", "paypal", "blink,phoenixd", "\x00")),
    (Charted, "by"): (("hour", "day"), ("", "HOUR", "year", "hour,day", "0")),
    (Charted, "from"): (_TIMES_TAKEN, _TIMES_REFUSED),
    (Charted, "to"): (_TIMES_TAKEN, _TIMES_REFUSED),
    (Charted, "zone"): (("UTC", "Europe/Berlin", "Pacific/Apia"), _ZONES_REFUSED),
    (Exported, "from"): (_TIMES_TAKEN, _TIMES_REFUSED),
    (Exported, "to"): (_TIMES_TAKEN, _TIMES_REFUSED),
    (Where, "zone"): (("UTC", "America/New_York"), _ZONES_REFUSED),
}


@dataclass(frozen=True, slots=True)
class Question:
    """A query of one parameter, and whether it is taken."""

    kind: type[BaseModel]
    name: str
    value: str
    is_taken: bool

    def __str__(self) -> str:
        return f"{self.kind.__name__} {self.name}={ascii(self.value)[:40]}"


QUESTIONS: Final = [
    Question(kind, name, value, is_taken)
    for (kind, name), both in _Q.items()
    for values, is_taken in zip(both, (True, False), strict=True)
    for value in values
]

# Page tokens

_KEY: Final = KEYRING.keys("page tokens")[0]


def _claimed(**claims: object) -> str:
    kept = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return _sealed({"alg": "HS256", "typ": "JWT"}, kept)


def _sealed(header: object, claims: Mapping[str, Any], key: bytes = _KEY) -> str:
    """Signed by our own key, whatever it says: only what is said decides."""
    numbers = {n: int(v.timestamp()) if hasattr(v, "timestamp") else v for n, v in claims.items()}
    said = f"{_base64(header)}.{_base64(numbers)}"
    signed = hmac.digest(key, said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(signed).rstrip(b'=').decode()}"


def _base64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


_SIGNED: Final = GOOD.rpartition(".")[2]
_ALGORITHMS: Final = (("none", ""), ("None", ""), ("NONE", _SIGNED), ("", ""), ("nOnE", ""))


def _named(algorithm: str, end: str) -> str:
    return f"{_base64({'alg': algorithm, 'typ': 'JWT'})}.{GOOD.split('.')[1]}.{end}"


FORGED: Final[Mapping[str, str]] = {
    "nothing": "",
    "dots": "..",
    "one part": "abc",
    "two parts": GOOD.rpartition(".")[0],
    "four parts": f"{GOOD}.x",
    "no signature": GOOD.rpartition(".")[0] + ".",
    "no header": "." + GOOD.partition(".")[2],
    "a cut signature": GOOD[:-4],
    "another signature": GOOD[: -len(_SIGNED)] + "A" * len(_SIGNED),
    "a signature in standard base64": GOOD[:-4] + "+/+/",
    "lower case": GOOD.lower(),
    "a padded token": GOOD + "====",
    **{f"an algorithm {name!r}": _named(name, end) for name, end in _ALGORITHMS},
    "HS512 by our key": jwt.encode(CLAIMS, _KEY.ljust(64, b"\0"), algorithm="HS512"),
    "no algorithm": _sealed({"typ": "JWT"}, CLAIMS),
    "an algorithm that is null": _sealed({"alg": None}, CLAIMS),
    "an algorithm that is a list": _sealed({"alg": ["HS256"]}, CLAIMS),
    "a header that is a list": _sealed([], CLAIMS),
    "a header that is a text": _sealed("HS256", CLAIMS),
    "a critical extension": _sealed({"alg": "HS256", "crit": ["exp"], "exp": 1}, CLAIMS),
    "a body that is elsewhere": _sealed({"alg": "HS256", "b64": False, "crit": ["b64"]}, CLAIMS),
    "a key of another use": _sealed({"alg": "HS256"}, CLAIMS, KEYRING.keys("keys at rest")[0]),
    "a stranger's key": _sealed({"alg": "HS256"}, CLAIMS, b"x" * 32),
    "no key": _sealed({"alg": "HS256"}, CLAIMS, b""),
    "another audience": _claimed(aud="operator"),
    "several audiences": _claimed(aud=["page", "operator"]),
    "an audience in a list": _claimed(aud=["page"]),
    "no audience": _claimed(aud=None),
    "an audience that is empty": _claimed(aud=""),
    "an audience in upper case": _claimed(aud="PAGE"),
    "no subject": _claimed(sub=None),
    "no end": _claimed(exp=None),
    "no beginning": _claimed(iat=None),
    "at its end": _claimed(exp=NOW),
    "after its end": _claimed(exp=NOW - timedelta(days=1)),
    "long after its end": _claimed(exp=0),
    "an end before time": _claimed(exp=-(2**63)),
    "a token that is not yet good": _claimed(nbf=2**40),
}

# Signatures of webhooks

SIGNED: Final = json.dumps(BLINK_EVENT).encode()
_GOOD_SVIX: Final = svix(SIGNED, SVIX_KEYS[0])


def _at(**off: float) -> str:
    return str(int((NOW + timedelta(**off)).timestamp()))


def _stamped(stamp: str) -> tuple[str, str, str]:
    return ("msg_1", stamp, svix(SIGNED, SVIX_KEYS[0], "msg_1", stamp))


ENVELOPES: Final[Mapping[str, tuple[tuple[str, str, str], bool]]] = {
    "the newest secret": (("msg_1", STAMP, _GOOD_SVIX), True),
    "an older secret": (("msg_1", STAMP, svix(SIGNED, SVIX_KEYS[1])), True),
    "another version first": (("msg_1", STAMP, f"v1a,x {_GOOD_SVIX}"), True),
    "nearly too old": (_stamped(_at(minutes=-5)), True),
    "nearly too early": (_stamped(_at(minutes=5)), True),
    "too old": (_stamped(_at(minutes=-5, seconds=-1)), False),
    "too early": (_stamped(_at(minutes=5, seconds=1)), False),
    "before all time": (_stamped("0"), False),
    "after all time": (_stamped("9" * 11), False),
    "beyond numbers": (_stamped("9" * 5_000), False),
    "before Christ": (_stamped(f"-{STAMP}"), False),
    "a fraction": (_stamped(f"{STAMP}.0"), False),
    "milliseconds": (_stamped(f"{STAMP}000"), False),
    "a time with a space": (_stamped(f" {STAMP}"), False),
    "a time with a sign": (_stamped(f"+{STAMP}"), False),
    "a time with an underline": (_stamped(f"{STAMP[:4]}_{STAMP[4:]}"), False),
    "a time in other digits": (_stamped("\u0661" * 10), False),
    "a time in words": (_stamped("now"), False),
    "NaN": (_stamped("NaN"), False),
    "no time": (_stamped(""), False),
    "another time": (("msg_1", _at(seconds=1), _GOOD_SVIX), False),
    "another id": (("msg_2", STAMP, _GOOD_SVIX), False),
    "no id": (("", STAMP, _GOOD_SVIX), False),
    "an id that has no encoding": (("\udcff", STAMP, _GOOD_SVIX), False),
    "the dot elsewhere": ((f"msg_1.{STAMP[:1]}", STAMP[1:], _GOOD_SVIX), False),
    "no signature": (("msg_1", STAMP, ""), False),
    "no version": (("msg_1", STAMP, _GOOD_SVIX[3:]), False),
    "version two": (("msg_1", STAMP, f"v2,{_GOOD_SVIX[3:]}"), False),
    "a version in upper case": (("msg_1", STAMP, f"V1,{_GOOD_SVIX[3:]}"), False),
    "nothing after the version": (("msg_1", STAMP, "v1,"), False),
    "many of nothing": (("msg_1", STAMP, "v1, " * 1_000), False),
    "apart by commas": (("msg_1", STAMP, f"v1,x,{_GOOD_SVIX}"), False),
    "apart by tabs": (("msg_1", STAMP, f"v1,x\t{_GOOD_SVIX}"), False),
    "hexadecimal": (("msg_1", STAMP, "v1," + "0" * 64), False),
    "without its padding": (("msg_1", STAMP, _GOOD_SVIX.rstrip("=")), False),
    "with more padding": (("msg_1", STAMP, f"{_GOOD_SVIX}="), False),
    "in lower case": (("msg_1", STAMP, _GOOD_SVIX.lower()), False),
    "a signature that has no encoding": (("msg_1", STAMP, "v1,\udcff\udcfe"), False),
    "a stranger's": (("msg_1", STAMP, svix(SIGNED, b"stranger")), False),
    "of an empty key": (("msg_1", STAMP, svix(SIGNED, b"")), False),
    "of another body": (("msg_1", STAMP, svix(SIGNED + b" ", SVIX_KEYS[0])), False),
}

# Webhooks, signed

_NO_HASHES: Final[tuple[object, ...]] = (
    *(None, "", "ab", HASH[:63], HASH + "a", HASH.upper(), "g" * 64, HASH + "\n", " " + HASH),
    *(7, True, [], [HASH], {}, {"hash": HASH}, "\u0661" * 64),
)
_NO_WORDS: Final[tuple[object, ...]] = (None, 7, True, [], {}, ["payment_received"])
_NO_OBJECTS: Final[tuple[object, ...]] = (None, 7, "lightning", [], {})
UNKNOWN: Final = "not understood"
NO_MATTER: Final = "of no interest"


def _blink(initiation: object, event: object = "receive.lightning") -> dict[str, object]:
    transaction = {**BLINK_EVENT["transaction"], "initiationVia": initiation}  # type: ignore[dict-item]
    return {**BLINK_EVENT, "eventType": event, "transaction": transaction}


TOLD: Final[Sequence[tuple[type[NodeEvent | BlinkEvent], object, str]]] = [
    (NodeEvent, NODE_EVENT, HASH),
    (NodeEvent, {**NODE_EVENT, "amountSat": -1}, HASH),  # an amount is asked for, not believed
    (NodeEvent, {**NODE_EVENT, "amountSat": "x", "externalId": [7]}, HASH),
    *((NodeEvent, {**NODE_EVENT, "paymentHash": bad}, UNKNOWN) for bad in _NO_HASHES),
    *((NodeEvent, {**NODE_EVENT, "type": bad}, UNKNOWN) for bad in _NO_WORDS),
    *(
        (NodeEvent, {**NODE_EVENT, "type": other}, NO_MATTER)
        for other in ("", "payment_sent", "PAYMENT_RECEIVED", "payment_received ", "\x00")
    ),
    *((kind, bad, UNKNOWN) for kind in (NodeEvent, BlinkEvent) for bad in _NO_OBJECTS),
    (BlinkEvent, BLINK_EVENT, HASH),
    (BlinkEvent, _blink({"type": "lightning", "paymentHash": HASH, "more": 1}), HASH),
    *(
        (BlinkEvent, _blink({"type": "lightning", "paymentHash": bad}), UNKNOWN)
        for bad in _NO_HASHES
    ),
    *((BlinkEvent, _blink({"type": bad, "paymentHash": HASH}), UNKNOWN) for bad in _NO_WORDS),
    *((BlinkEvent, _blink({"type": by}), NO_MATTER) for by in ("intraledger", "onchain")),
    *((BlinkEvent, _blink(bad), UNKNOWN) for bad in _NO_OBJECTS),
    *((BlinkEvent, {**BLINK_EVENT, "eventType": bad}, UNKNOWN) for bad in _NO_WORDS),
    *((BlinkEvent, {**BLINK_EVENT, "transaction": bad}, UNKNOWN) for bad in _NO_OBJECTS),
    *(
        (BlinkEvent, {**BLINK_EVENT, "eventType": other}, NO_MATTER)
        for other in ("", "send.lightning", "RECEIVE.lightning", " receive.lightning")
    ),
]
