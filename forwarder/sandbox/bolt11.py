"""BOLT11 invoices, written and signed here so that they check the service's own decoder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from coincurve import PrivateKey, PublicKey

from forwarder.sandbox import bech32

Network = Literal["mainnet", "regtest", "signet"]

PREFIXES: dict[Network, str] = {"mainnet": "lnbc", "regtest": "lnbcrt", "signet": "lntbs"}
# lnbcrt also begins with lnbc: the longer prefix has to be tried first.
NETWORKS = sorted(PREFIXES.items(), key=lambda pair: -len(pair[1]))

MILLISATS = {"": 100_000_000_000, "m": 100_000_000, "u": 100_000, "n": 100}
SIGNATURE_GROUPS = 104
TIMESTAMP_GROUPS = 7
DEFAULT_EXPIRY = timedelta(hours=1)  # BOLT11's own, when the invoice names none
MIN_FINAL_CLTV = 40

TAGS = {
    "payment_hash": 1,
    "features": 5,
    "expiry": 6,
    "description": 13,
    "payment_secret": 16,
    "description_hash": 23,
    "min_final_cltv": 24,
}
TAG_NAMES = {number: name for name, number in TAGS.items()}
# What LND sets: variable-length onion and payment secret required, multi-part payment optional.
FEATURES = 1 << 8 | 1 << 14 | 1 << 17


@dataclass(frozen=True, slots=True)
class Terms:
    """What an invoice says. `sats` is None when the payer chooses the amount."""

    network: Network
    payment_hash: str
    payment_secret: str
    sats: int | None
    description: str
    created_at: datetime
    expires_in: timedelta
    description_hash: str | None = None

    @property
    def expires_at(self) -> datetime:
        return self.created_at + self.expires_in


@dataclass(frozen=True, slots=True)
class Decoded:
    """The terms of an invoice and the node that signed them."""

    terms: Terms
    payee: str


def encode(terms: Terms, key: PrivateKey) -> str:
    prefix = PREFIXES[terms.network] + _amount(terms.sats)
    groups = bech32.from_integer(int(terms.created_at.timestamp()), TIMESTAMP_GROUPS)
    for name, value in _fields(terms).items():
        groups += [TAGS[name], *bech32.from_integer(len(value), 2), *value]
    signature = key.sign_recoverable(_digest(prefix, groups), hasher=None)
    return bech32.encode(prefix, [*groups, *bech32.from_bytes(signature)])


def decode(payment_request: str) -> Decoded:
    """Read an invoice and recover who signed it; ValueError when it is not one."""
    prefix, groups = bech32.decode(payment_request)
    network, amount = _split_prefix(prefix)
    body, signature = groups[:-SIGNATURE_GROUPS], bech32.to_bytes(groups[-SIGNATURE_GROUPS:])
    fields = _read_fields(body[TIMESTAMP_GROUPS:])
    if not {"payment_hash", "payment_secret"} <= fields.keys():
        raise ValueError("payment hash or payment secret missing")
    payee = PublicKey.from_signature_and_message(signature, _digest(prefix, body), hasher=None)
    created = datetime.fromtimestamp(bech32.to_integer(body[:TIMESTAMP_GROUPS]), UTC)
    expiry = fields.get("expiry")
    terms = Terms(
        network=network,
        payment_hash=bech32.to_bytes(fields["payment_hash"]).hex(),
        payment_secret=bech32.to_bytes(fields["payment_secret"]).hex(),
        sats=_sats(amount),
        description=bech32.to_bytes(fields.get("description", [])).decode(),
        created_at=created,
        expires_in=timedelta(seconds=bech32.to_integer(expiry)) if expiry else DEFAULT_EXPIRY,
    )
    return Decoded(terms, payee.format().hex())


def _fields(terms: Terms) -> dict[str, list[int]]:
    if terms.description_hash:
        described = {"description_hash": bech32.from_bytes(bytes.fromhex(terms.description_hash))}
    else:
        described = {"description": bech32.from_bytes(terms.description.encode())}
    return {
        "payment_hash": bech32.from_bytes(bytes.fromhex(terms.payment_hash)),
        "payment_secret": bech32.from_bytes(bytes.fromhex(terms.payment_secret)),
        **described,
        "expiry": bech32.from_integer(int(terms.expires_in.total_seconds())),
        "min_final_cltv": bech32.from_integer(MIN_FINAL_CLTV),
        "features": bech32.from_integer(FEATURES),
    }


def _read_fields(groups: list[int]) -> dict[str, list[int]]:
    fields: dict[str, list[int]] = {}
    while len(groups) >= 3:
        length = bech32.to_integer(groups[1:3])
        if name := TAG_NAMES.get(groups[0]):
            fields.setdefault(name, groups[3 : 3 + length])
        groups = groups[3 + length :]
    return fields


def _digest(prefix: str, groups: list[int]) -> bytes:
    signed = prefix.encode() + bech32.to_bytes(groups, pad=True)
    return hashlib.sha256(signed).digest()


def _amount(sats: int | None) -> str:
    """The amount in the largest unit that divides it, as the specification asks."""
    if sats is None:
        return ""
    unit, size = next(pair for pair in MILLISATS.items() if sats * 1000 % pair[1] == 0)
    return f"{sats * 1000 // size}{unit}"


def _sats(amount: str) -> int | None:
    if not amount:
        return None
    unit = amount[-1] if amount[-1] in MILLISATS else ""
    return int(amount.removesuffix(unit)) * MILLISATS[unit] // 1000


def _split_prefix(prefix: str) -> tuple[Network, str]:
    for network, start in NETWORKS:
        if prefix.startswith(start):
            return network, prefix.removeprefix(start)
    raise ValueError(f"unknown network in {prefix!r}")
