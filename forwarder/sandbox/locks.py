"""The lock on a sender's wallet, held for a whole payment; waiters poll and give up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from forwarder.sandbox import errors
from forwarder.sandbox.entropy import Entropy
from forwarder.sandbox.timing import Timing


class WalletLocks:
    def __init__(self, timing: Timing, entropy: Entropy) -> None:
        self._timing = timing
        self._entropy = entropy
        self._held: set[str] = set()

    @asynccontextmanager
    async def hold(self, wallet_id: str) -> AsyncIterator[None]:
        """Own the wallet, or raise Blink's refusal after polling in vain."""
        await self._acquire(wallet_id)
        try:
            yield
        finally:
            self._held.discard(wallet_id)

    async def _acquire(self, wallet_id: str) -> None:
        for _ in range(self._timing.lock_attempts):
            if wallet_id not in self._held:
                break
            # Redlock polls at random distances: there is no queue, so no order among waiters.
            jitter = self._entropy.jitter(self._timing.lock_jitter)
            await asyncio.sleep(self._timing.lock_pause + jitter)
        if wallet_id in self._held:
            raise errors.lock_busy()
        self._held.add(wallet_id)
