"""A reader of BOLT11 invoices: what does this invoice ask for, and until when?

It checks the checksum, not the signature: the invoices come from Blink over TLS, and what has to be
known before paying one is that it asks for what we meant to pay. The format is that of
https://github.com/lightning/bolts/blob/master/11-payment-encoding.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor

from forwarder.model.units import MAX_SATS, PaymentHash

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# What the five bits that are shifted out leave behind, for each of their values.
_REMAINDERS = [
    reduce(xor, (part for bit, part in enumerate(_GENERATOR) if top >> bit & 1), 0)
    for top in range(32)
]
_PREFIX = re.compile(
    r"ln(?P<network>bcrt|bc|tbs|tb|sb)(?:(?P<amount>[1-9]\d{0,18})(?P<unit>[munp]?))?"
)
_TENTH_MSATS = {"": 10**12, "m": 10**9, "u": 10**6, "n": 10**3, "p": 1}

_TIMESTAMP_WORDS = 7
_SIGNATURE_WORDS = 104
_CHECKSUM_WORDS = 6
_HASH_WORDS = 52
_TAG_HASH, _TAG_DESCRIPTION, _TAG_EXPIRY = 1, 13, 6
_DEFAULT_EXPIRY = timedelta(hours=1)
_MAX_EXPIRY_SECONDS = 2**31


class Bolt11Error(ValueError):
    """The text is not a BOLT11 invoice; says why."""


@dataclass(frozen=True, slots=True)
class Bolt11:
    """What an invoice says of itself; `network` is its prefix, such as `bc`, `tbs` or `bcrt`."""

    network: str
    amount_msat: int | None
    payment_hash: PaymentHash
    description: str | None
    issued_at: datetime
    expires_at: datetime


def decode(text: str) -> Bolt11:
    """Read an invoice, in upper or lower case. Raises `Bolt11Error`."""
    prefix, words = _bech32(text)
    network, amount_msat = _read_prefix(prefix)
    if len(words) < _TIMESTAMP_WORDS + _SIGNATURE_WORDS:
        raise Bolt11Error("the invoice is too short")
    issued_at = _moment(_number(words[:_TIMESTAMP_WORDS]))
    fields = dict(_fields(words[_TIMESTAMP_WORDS:-_SIGNATURE_WORDS]))
    return Bolt11(
        network=network,
        amount_msat=amount_msat,
        payment_hash=_payment_hash(fields),
        description=_description(fields),
        issued_at=issued_at,
        expires_at=issued_at + _expiry(fields),
    )


def _bech32(text: str) -> tuple[str, list[int]]:
    if text not in (text.lower(), text.upper()):
        raise Bolt11Error("the invoice mixes upper and lower case")
    prefix, separator, data = text.lower().rpartition("1")
    if not separator or len(data) < _CHECKSUM_WORDS:
        raise Bolt11Error("the invoice has no data")
    if not prefix.isascii() or any(character not in _CHARSET for character in data):
        raise Bolt11Error("the invoice has a character that bech32 does not know")
    words = [_CHARSET.index(character) for character in data]
    if _checksum(prefix, words) != 1:
        raise Bolt11Error("the invoice's checksum is wrong")
    return prefix, words[:-_CHECKSUM_WORDS]


def _checksum(prefix: str, words: Sequence[int]) -> int:
    """BIP-173's polymod over prefix and data; 1 means that the checksum is right."""
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = 1
    for word in (*expanded, *words):
        check = (check & 0x1FFFFFF) << 5 ^ word ^ _REMAINDERS[check >> 25]
    return check


def _read_prefix(prefix: str) -> tuple[str, int | None]:
    match = _PREFIX.fullmatch(prefix)
    if match is None:
        raise Bolt11Error(f"{prefix[:20]!r} is not the prefix of a Lightning invoice")
    if match["amount"] is None:
        return match["network"], None
    tenths = int(match["amount"]) * _TENTH_MSATS[match["unit"]]
    if tenths % 10:
        raise Bolt11Error("the invoice asks for a fraction of a millisatoshi")
    if tenths > MAX_SATS * 10_000:
        raise Bolt11Error("the invoice asks for more than any wallet can hold")
    return match["network"], tenths // 10


def _fields(words: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    """The tagged fields, last to first: a dictionary of them keeps the first of each kind."""
    found: list[tuple[int, Sequence[int]]] = []
    at = 0
    while at + 3 <= len(words):
        tag, length = words[at], words[at + 1] << 5 | words[at + 2]
        content = words[at + 3 : at + 3 + length]
        if len(content) < length:
            raise Bolt11Error("a field of the invoice is cut short")
        # The specification has readers skip a payment hash of any other length.
        if tag != _TAG_HASH or length == _HASH_WORDS:
            found.append((tag, content))
        at += 3 + length
    return reversed(found)


def _payment_hash(fields: dict[int, Sequence[int]]) -> PaymentHash:
    if _TAG_HASH not in fields:
        raise Bolt11Error("the invoice has no payment hash")
    return PaymentHash(_octets(fields[_TAG_HASH])[:32].hex())


def _description(fields: dict[int, Sequence[int]]) -> str | None:
    if _TAG_DESCRIPTION not in fields:
        return None
    return _octets(fields[_TAG_DESCRIPTION]).decode(errors="replace")


def _expiry(fields: dict[int, Sequence[int]]) -> timedelta:
    if _TAG_EXPIRY not in fields:
        return _DEFAULT_EXPIRY
    return timedelta(seconds=min(_number(fields[_TAG_EXPIRY]), _MAX_EXPIRY_SECONDS))


def _number(words: Sequence[int]) -> int:
    value = 0
    for word in words:
        value = value << 5 | word
    return value


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _octets(words: Sequence[int]) -> bytes:
    """Five-bit words as whole bytes; the padding bits at the end are dropped."""
    spare = len(words) * 5 % 8
    return (_number(words) >> spare).to_bytes(len(words) * 5 // 8, "big")
