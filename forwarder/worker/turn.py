"""Which of several processes watches Blink: one subscription serves them all."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from forwarder.store import leases
from forwarder.worker.common import Common

LEASE: Final = timedelta(seconds=5)
RENEWAL_SECONDS: Final = 1.5
_NAME: Final = "watch"


class Turn:
    """A lease on the watch. On an embedded database there is nobody to share it with."""

    def __init__(self, common: Common) -> None:
        self._database = common.database
        self._clock = common.clock
        self._owner = common.owner

    async def take(self) -> bool:
        """Take the turn or keep it; false while another process has it."""
        if self._database.is_embedded:
            return True
        now = self._clock()
        async with self._database.transaction() as tx:
            return await leases.take(tx, _NAME, self._owner, now, now + LEASE)

    async def give_back(self) -> None:
        """Let another process take it at once."""
        if not self._database.is_embedded:
            async with self._database.transaction() as tx:
                await leases.give_back(tx, _NAME, self._owner)
