"""Who has signed a webhook: a phoenixd node by itself, Blink through Svix.

Both sign the raw bytes of the body; the same JSON written anew has another signature.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr

WINDOW: Final = timedelta(minutes=5)
"""How old, or how far ahead, what Svix has signed may be: older ones may be replayed."""

SVIX_SECRET: Final = re.compile(
    r"whsec_(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
)
"""A signing secret of Svix's: the key in base64, after a mark."""

_SECONDS: Final = re.compile(r"[0-9]{1,11}")
_VERSION: Final = "v1,"


def is_phoenixds(body: bytes, signature: str, secret: SecretStr) -> bool:
    """Whether the node has signed this. The key is the text of the secret, hexadecimal or not."""
    made = hmac.digest(secret.get_secret_value().encode(), body, "sha256").hex()
    return _same(made, signature)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What Svix sends beside a body: three headers, of which the last may hold several."""

    id: str
    timestamp: str
    signatures: str


def is_svixs(body: bytes, envelope: Envelope, secrets: Iterable[SecretStr], now: datetime) -> bool:
    """Whether Svix has signed this, with one of the secrets, and lately."""
    if not _is_recent(envelope.timestamp, now):
        return False
    given = [
        part.removeprefix(_VERSION)
        for part in envelope.signatures.split(" ")
        if part.startswith(_VERSION)
    ]
    signed = _octets(f"{envelope.id}.{envelope.timestamp}.") + body
    made = [_svix_signature(signed, secret) for secret in secrets]
    # Each with each, so that how long it takes tells nothing.
    return any([_same(one, other) for one in made for other in given])


def _is_recent(timestamp: str, now: datetime) -> bool:
    if _SECONDS.fullmatch(timestamp) is None:
        return False
    return abs(now - datetime.fromtimestamp(int(timestamp), UTC)) <= WINDOW


def _svix_signature(signed: bytes, secret: SecretStr) -> str:
    key = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"))
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def _same(made: str, given: str) -> bool:
    return hmac.compare_digest(_octets(made), _octets(given))


def _octets(header: str) -> bytes:
    """A header as it came: what is no UTF-8 in it is there in the form of surrogates."""
    return header.encode("utf-8", "surrogateescape")
