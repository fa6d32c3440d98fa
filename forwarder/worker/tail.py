"""Tells pages here what another process has kept: a second server, or a command."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import Final

from forwarder.store import broadcasts, messages
from forwarder.worker import pulse
from forwarder.worker.common import Common

POLL_SECONDS: Final = 0.5
# On PostgreSQL numbers are given before they are committed, so the last ones are read again.
OVERLAP: Final = 50
REMEMBERED: Final = 1_000
# A notice is for who is there; machines whose clocks differ by less than this tell it too.
NOTICE_FRESH: Final = timedelta(seconds=10)


class Tail:
    """Reads the kept messages as they come. A page gets each one once, whoever tells it."""

    def __init__(self, common: Common) -> None:
        self._database = common.database
        self._notifier = common.notifier
        self._clock = common.clock
        self._told: deque[str] = deque(maxlen=REMEMBERED)

    async def run(self) -> None:
        """Work until cancelled, and only while pages are connected."""
        while True:
            await self._notifier.joined()
            await self._follow()

    async def _follow(self) -> None:
        """A page that has just joined reads by itself what was kept before."""
        async with self._database.reading() as tx:
            last = await messages.last_seq(tx)
        while not self._notifier.is_idle:
            await pulse.rest(POLL_SECONDS)
            async with self._database.reading() as tx:
                found = await messages.since(tx, last - OVERLAP)
                notices = await broadcasts.since(tx, self._clock() - NOTICE_FRESH)
            fresh = [(seq, message) for seq, message in found if message.id not in self._told]
            self._told.extend(message.id for _, message in fresh)
            await self._notifier.deliver(message for _, message in fresh)
            last = max([last, *(seq for seq, _ in fresh)])
            for notice in notices:
                await self._notifier.broadcast(notice)
