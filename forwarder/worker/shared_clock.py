"""One time for all processes that share a database: the database's."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from forwarder.store.database import Database, StoreError
from forwarder.worker import pulse
from forwarder.worker.clock import Clock, utc_now

READ_AGAIN_SECONDS: Final = 60.0
USABLE_SECONDS: Final = 1.0  # a slower answer says too little of when it was true


log = structlog.get_logger(__name__)


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
        took = time.monotonic() - begun
        if took <= USABLE_SECONDS or not self._read_at:
            # It was true when half of the way was done.
            self._read_at, self._time = begun + took / 2, now

    async def run(self) -> None:
        """Until cancelled, follow it where it goes faster or slower than we do."""
        while True:
            await pulse.rest(READ_AGAIN_SECONDS)
            try:
                await self.read()
            except StoreError as exc:
                log.warning("the database's time could not be read", reason=type(exc).__name__)


async def clock_of(database: Database) -> Clock:
    """The clock to go by: this machine's for a file, and else the database's. `StoreError`."""
    if database.is_embedded:
        return utc_now
    clock = SharedClock(database)
    await clock.read()
    return clock
