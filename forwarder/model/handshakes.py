"""How to live with a limit on new websockets: when one may be opened, and when one is kept open.

Blink's ingress takes 10 new websockets a minute from one address (charts/galoy in
blinkbitcoin/charts), and the limit counts for all processes behind that address.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(seconds=60)
LIMIT: Final = 10

_CAREFREE = 5  # with this many left, an idle subscription is closed at once
_SHORT_LINGER = 4.0  # seconds: a busy till's next sale comes sooner, and 5 s are promised


def wait_seconds(recent: Sequence[datetime], now: datetime) -> float:
    """Seconds until another handshake is within the limit; `recent` is sorted, oldest first."""
    if len(recent) < LIMIT:
        return 0
    freed_at = recent[-LIMIT] + WINDOW
    return max(0.0, (freed_at - now).total_seconds())


def linger_seconds(recent: Sequence[datetime], now: datetime) -> float:
    """Seconds that an idle subscription stays open, so that the next sale needs no handshake."""
    left = LIMIT - len(recent)
    if left >= _CAREFREE:
        return 0
    return _SHORT_LINGER if left > 0 else max(_SHORT_LINGER, wait_seconds(recent, now))
