"""Who the money is for: a destination and a POS token."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from forwarder.model.units import WalletId

_NAME = re.compile(r"\S(?:.{0,62}\S)?")


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant as it is kept, without its secrets. `wallet_id` is None until Blink was asked.

    `moved_at` is when it was given another account for the last time.
    """

    id: int
    name: str
    wallet_id: WalletId | None
    enabled: bool
    moved_at: datetime | None = None


def is_name(text: str) -> bool:
    """Whether `text` can name a merchant: 1 to 64 printable characters, no space at the ends."""
    return text.isprintable() and _NAME.fullmatch(text) is not None


def fingerprint(token: str) -> str:
    """What is kept of a POS token: enough to recognise it, useless to who reads the database."""
    return hashlib.sha256(token.encode()).hexdigest()
