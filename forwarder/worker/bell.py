"""A bell that wakes a loop: a ring that comes while nobody listens is heard at the next wait."""

from __future__ import annotations

import asyncio

from forwarder.worker import pulse


class Bell:
    """Rung by whoever has changed something, waited for by the one loop that it concerns."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the loop, now or at its next wait."""
        self._rung.set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait for a ring, no longer than `seconds`; says whether it rang."""
        try:
            with pulse.resting():
                async with asyncio.timeout(seconds):
                    await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True
