"""A limit of Blink's that is kept here: to run into it costs five minutes without invoices."""

from __future__ import annotations

import asyncio
from collections import deque


class Pace:
    """No more than `limit` calls in any `seconds`, counted when they leave."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._seconds = seconds
        self._left: deque[float] = deque(maxlen=limit)

    def take(self) -> bool:
        """Whether one more call may leave now; if so, it is counted."""
        now = asyncio.get_running_loop().time()
        is_full = len(self._left) == self._left.maxlen
        if is_full and now - self._left[0] < self._seconds:
            return False
        self._left.append(now)  # of a full deque, the oldest falls out
        return True
