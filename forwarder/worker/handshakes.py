"""The budget of websocket handshakes, kept in the database so that a restart does not forget it."""

from __future__ import annotations

from forwarder.model import handshakes as budget
from forwarder.model.handshakes import WINDOW
from forwarder.store import locks, recent
from forwarder.store.recent import HANDSHAKES
from forwarder.worker.common import Common


class Handshakes:
    """Blink's ingress takes about ten new websockets a minute from one address."""

    def __init__(self, common: Common) -> None:
        self._database = common.database
        self._clock = common.clock
        self._metrics = common.metrics

    async def take(self) -> float:
        """Take one and return 0, or return the seconds until one can be taken."""
        now = self._clock()
        async with self._database.transaction() as tx:
            await locks.hold(tx, "handshakes")
            wait = budget.wait_seconds(await recent.times(tx, HANDSHAKES, now - WINDOW, now), now)
            if wait == 0:
                await recent.add(tx, HANDSHAKES, now, WINDOW)
        if wait == 0:
            self._metrics.handshakes.inc()
        return wait

    async def left(self) -> int:
        """How many may be taken now."""
        now = self._clock()
        async with self._database.reading() as tx:
            return budget.LIMIT - len(await recent.times(tx, HANDSHAKES, now - WINDOW, now))

    async def linger_seconds(self) -> float:
        """How long an idle subscription should stay open to spare a handshake."""
        now = self._clock()
        async with self._database.reading() as tx:
            return budget.linger_seconds(await recent.times(tx, HANDSHAKES, now - WINDOW, now), now)
