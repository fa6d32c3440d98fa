"""Whether this process can serve: what keeps it from that, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from forwarder.model.source import Source
from forwarder.store import leases
from forwarder.store.database import StoreError
from forwarder.worker.clock import monotonic
from forwarder.worker.common import Common
from forwarder.worker.supervisor import Supervisor

WRITES_WITHIN_SECONDS: Final = 4.0
KNOWN_FOR_SECONDS: Final = 2.0  # anybody may ask, and each answer costs a commit


class Readiness:
    """Asked by whoever watches over the process, as often as they like."""

    def __init__(self, common: Common, supervisor: Supervisor) -> None:
        self._common = common
        self._supervisor = supervisor
        self._writing: asyncio.Task[str | None] | None = None
        self._known: tuple[float, str | None] = (float("-inf"), None)

    async def lacks(self) -> str | None:
        """Why no sale could be made and forwarded now; None if nothing is in the way."""
        reasons = [await self._database(), *self._tasks(), self._sources()]
        return "; ".join(reason for reason in reasons if reason) or None

    async def _database(self) -> str | None:
        known_at, reason = self._known
        if monotonic() - known_at < KNOWN_FOR_SECONDS:
            return reason
        # One that hangs is not begun again: it ends by itself, as every transaction does.
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="readiness")
        writing = self._writing
        done, _ = await asyncio.wait({writing}, timeout=WRITES_WITHIN_SECONDS)
        if not done:
            return "the database does not answer"
        self._known = monotonic(), writing.result()
        return writing.result()

    async def _write(self) -> str | None:
        database, now = self._common.database, self._common.clock()
        if database.is_gone():
            return "the file of the database is gone"
        try:
            async with database.transaction() as tx:
                await leases.take(tx, "readiness", self._common.owner, now, now)
        except (StoreError, OSError) as exc:
            return f"the database cannot be written: {type(exc).__name__}"
        return None

    def _tasks(self) -> Iterator[str]:
        for name in sorted(self._supervisor.down):
            yield f"the task {name} has died, and is started again soon"
        for name, seconds in sorted(self._supervisor.still().items()):
            yield f"the task {name} stands still for {seconds:.0f} s"

    def _sources(self) -> str | None:
        if self._common.accounts.is_known or Source.PHOENIXD in self._common.wallets.sources:
            return None
        return "BlinkPOS's wallet is not known yet: Blink has not answered since the start"
