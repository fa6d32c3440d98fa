"""The units that money and identities are counted in, and how a time is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NewType

Sats = NewType("Sats", int)
"""Whole satoshis. There is no fraction of one anywhere in this package."""

PaymentHash = NewType("PaymentHash", str)
"""64 lower-case hexadecimal characters: the SHA-256 of an invoice's preimage.

Money that came without an invoice is known by its transaction's id at Blink instead, which has 24.
"""

NAME_OF_A_PAYMENT = "[0-9a-f]{24}|[0-9a-f]{64}"
"""What a payment is known by, as a regular expression."""

WalletId = NewType("WalletId", str)
"""The UUID of a wallet at Blink, or the first 36 characters of a phoenixd node's public key."""

MAX_SATS = Sats(10_000_000_000_000)
"""The largest amount that Blink's `SatAmount` accepts."""

MAX_MEMO_BYTES = 639
"""The longest `Memo` that Blink accepts, in bytes of UTF-8; BOLT11 has the same limit."""


def iso(moment: datetime) -> str:
    """A UTC time as the contract writes it: ISO 8601, milliseconds and `Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def iso_or_none(moment: datetime | None) -> str | None:
    """A time that may not have come, in the same form."""
    return None if moment is None else iso(moment)
