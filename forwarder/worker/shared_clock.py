"""One time for all processes that share a database: the database's."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from forwarder.store.database import Database, StoreError
from forwarder.worker import pulse
from forwarder.worker.clock import Clock, utc_now

READ_AGAIN_SECONDS: Final = 60.0


class SharedClock:
    """Leases, due times and expiries mean the same to every process, however wrong its clock is.

    Between two readings it counts by a clock that never jumps, so asking it costs nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read_at, self._time = 0.0, datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        """What time it is in the database."""
        return self._time + timedelta(seconds=time.monotonic() - self._read_at)

    async def read(self) -> None:
        """Ask the database. Raises `StoreError`."""
        begun = time.monotonic()
        now = await self._database.time()
        # The answer was true when half of the way was done.
        self._read_at, self._time = (begun + time.monotonic()) / 2, now

    async def run(self) -> None:
        """Until cancelled, follow it where it goes faster or slower than we do."""
        while True:
            await pulse.rest(READ_AGAIN_SECONDS)
            with suppress(StoreError):
                await self.read()


async def clock_of(database: Database) -> Clock:
    """The clock to go by: this machine's for a file, and else the database's. `StoreError`."""
    if database.is_embedded:
        return utc_now
    clock = SharedClock(database)
    await clock.read()
    return clock
