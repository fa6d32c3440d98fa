"""The time, injected, so that a test can be anywhere in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that only ever go forward: for how long to wait, whatever the date says."""
    return asyncio.get_running_loop().time()
