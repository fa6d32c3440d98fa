"""PostgreSQL's side: connections that neither end can leave hanging.

A process can be frozen in the middle of a transaction, and a network can forget a connection
without a word. The server ends what the one holds, and a timer on this end what the other keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from weakref import WeakSet

import structlog
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

log = structlog.get_logger(__name__)

CONNECTS_WITHIN: Final = 5.0
"""Seconds for a new connection, and for one of the pool to become free."""
ENDS_WITHIN: Final = 8.0
"""Seconds for a whole transaction, from its begin to the answer to its commit."""
CLOSES_WITHIN: Final = 1.0

POOLED: Final = 10

# What the server holds against us, in its own words. A frozen process stands in nobody's way for
# long, and whoever waits for its locks outlasts it.
_SETTINGS: Final = {
    "application_name": "blink-pos-forwarder",
    "idle_in_transaction_session_timeout": "4s",
    "lock_timeout": "6s",
    "statement_timeout": "7s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}

ALONE: Final = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL lock_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = '60s'",
    "SELECT pg_advisory_xact_lock(hashtextextended('upgrade', 0))",
)
"""What a transaction begins with that changes tables: one at a time, as long as it needs.

Several processes may start at once on an empty database.
"""


class Postgres:
    """An engine whose connections end by themselves when the other side falls silent."""

    def __init__(self, url: URL) -> None:
        self.engine = create_async_engine(
            url,
            pool_size=POOLED,
            pool_timeout=CONNECTS_WITHIN,
            connect_args={"timeout": CONNECTS_WITHIN, "server_settings": _SETTINGS},
        )
        self._drivers: WeakSet[Any] = WeakSet()  # asyncpg's connections; it may not be installed
        event.listen(self.engine.sync_engine, "connect", self._remember)

    def _remember(self, connection: Any, _record: object) -> None:  # noqa: ANN401 - asyncpg's
        self._drivers.add(connection.driver_connection)

    async def close(self) -> None:
        """Take leave on every connection, but wait for no server that says nothing."""
        try:
            async with asyncio.timeout(CLOSES_WITHIN):
                await self.engine.dispose()
        except TimeoutError:
            log.warning("the database did not let go: its connections are cut")
        for driver in list(self._drivers):
            driver.terminate()


@asynccontextmanager
async def cut_off_when_late(connection: AsyncConnection) -> AsyncIterator[None]:
    """Cut a connection that is not done in time: whatever waits for an answer on it fails then.

    A cancellation would not do: what tidies up after one asks the same silent server again.
    """
    driver = (await connection.get_raw_connection()).driver_connection
    timer = asyncio.get_running_loop().call_later(ENDS_WITHIN, _cut_off, driver)
    try:
        yield
    finally:
        timer.cancel()


def _cut_off(driver: Any) -> None:  # noqa: ANN401 - asyncpg's
    log.error("the database has not answered in time: this connection is cut")
    driver.terminate()
