"""SQLite: each statement goes to the thread of its connection once.

As SQLAlchemy drives aiosqlite, a statement goes there four times: for a cursor, the execution, the
rows, and the closing. Each time two threads wake each other, which takes longer than SQLite does.
`async_creator` is SQLAlchemy's hook for a connection of one's own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Literal, NamedTuple, Self

import aiosqlite
import sqlalchemy
from aiosqlite.core import _STOP_RUNNING_SENTINEL
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

Begin = Literal["IMMEDIATE", "DEFERRED"]
Method = Literal["execute", "executemany"]

_BUSY_SECONDS = 5  # how long to wait for a command that writes beside the service
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


def engine(url: URL, *, begin: Begin, pool_size: int) -> AsyncEngine:
    """Connections to a file, whose transactions all begin in the same way.

    An immediate BEGIN takes the lock. A deferred one takes none, so it needs no trip of its own: it
    goes along with the first statement.
    """
    # What SQLAlchemy would have passed to the driver, with the options of the URL.
    (path,), options = url.get_dialect()().create_connect_args(url)
    options.setdefault("timeout", _BUSY_SECONDS)
    options["isolation_level"] = None  # the driver must not emit BEGIN by itself
    connect = partial(_connect, path, **options)

    async def create() -> aiosqlite.Connection:
        return await Connection(connect, begins_late=begin == "DEFERRED")

    made = create_async_engine(url, async_creator=create, pool_size=pool_size, max_overflow=0)
    if begin == "IMMEDIATE":
        event.listen(made.sync_engine, "begin", _begin_immediate)
    return made


def _begin_immediate(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _connect(path: str, **options: Any) -> sqlite3.Connection:  # noqa: ANN401
    connection: sqlite3.Connection = sqlite3.connect(path, **options)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


class Connection(aiosqlite.Connection):
    """What SQLAlchemy asks of aiosqlite's connection."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, begins_late: bool) -> None:
        super().__init__(connect, iter_chunk_size=1)  # required, and unused: rows come at once
        self._thread.daemon = True  # as SQLAlchemy has it for those that it makes
        self._begins_late = begins_late
        self._is_clean = True  # nothing was asked since a transaction has ended

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor, for which nobody has to be asked yet."""
        return Cursor(self)

    async def ask(self, method: Method, sql: str, parameters: Sequence[Any]) -> Answer:
        """Have a statement executed to its end."""
        self._is_clean = False  # even if this is cancelled: the thread goes on with it
        asking = self._execute(self._ask, method, sql, parameters)  # type: ignore[no-untyped-call]
        answer: Answer = await asking
        return answer

    def _ask(self, method: Method, sql: str, parameters: Sequence[Any]) -> Answer:
        if self._begins_late and not self.in_transaction:
            self._conn.execute("BEGIN DEFERRED")
        # Left open by a row that cannot be read, it would keep its snapshot after the ROLLBACK.
        with closing(self._conn.cursor()) as cursor:
            getattr(cursor, method)(sql, parameters)
            rows = cursor.fetchall()
            return Answer(rows, cursor.description, cursor.rowcount, cursor.lastrowid)

    def stop(self) -> None:
        """End the thread. Nobody waits for that: it may come after the end of the loop."""
        self._running = False
        self._tx.put_nowait((None, self._end))

    def _end(self) -> object:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return _STOP_RUNNING_SENTINEL

    async def commit(self) -> None:
        """End the transaction."""
        await super().commit()
        self._is_clean = True

    async def rollback(self) -> None:
        """Undo the transaction; the pool asks for this after each commit too."""
        if not self._is_clean:
            await super().rollback()
            self._is_clean = True


class Answer(NamedTuple):
    """What a statement has brought."""

    rows: Sequence[Any]
    description: Any
    rowcount: int
    lastrowid: int | None


class Cursor:
    """What SQLAlchemy asks of aiosqlite's cursor. Only the execution has to wait."""

    arraysize = 1
    _answer = Answer((), None, -1, None)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Execute a statement."""
        self._answer = await self._connection.ask("execute", sql, parameters)

    async def executemany(self, sql: str, parameters: Sequence[Any]) -> None:
        """Execute a statement once with each of these."""
        self._answer = await self._connection.ask("executemany", sql, parameters)

    async def fetchall(self) -> Sequence[Any]:
        """The rows, which came with the execution."""
        return self._answer.rows

    async def close(self) -> None:
        """Nothing is left open."""

    @property
    def description(self) -> Any:  # noqa: ANN401
        """The names of the columns, if there are any."""
        return self._answer.description

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return self._answer.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The key of the row that was inserted last."""
        return self._answer.lastrowid
