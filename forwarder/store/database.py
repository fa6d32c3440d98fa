"""The database: SQLite in a file, or PostgreSQL; opened, brought up to date, and asked.

SQLite gets one writer connection, whose pool is the queue for writing, and readers beside it.
Every writing transaction starts with BEGIN IMMEDIATE: a deferred one that reads first and writes
later fails at once when another has written in between, whatever the busy timeout says.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from filelock import FileLock, Timeout
from sqlalchemy import Connection, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from forwarder.store import sqlite
from forwarder.store.postgres import ALONE, Postgres, cut_off_when_late

Transaction = AsyncConnection
"""What the modules of this room work in: one transaction, ended by whoever opened it."""

Access = Literal["read", "write"]
Ending = Literal["committed", "undone", "failed"]
Observer = Callable[[Access, Ending, float], None]
"""Hears of each transaction: what it was for, how it ended, and after how many seconds."""

StoreError = SQLAlchemyError
"""What fails when the database does: locked, full, gone."""

_PACKAGE = Path(__file__).parents[1]


def _unobserved(_access: Access, _ending: Ending, _seconds: float) -> None:
    """Nobody counts."""


def is_refusal(exc: StoreError) -> bool:
    """Whether the database has refused what it was given, and not failed: the next may be taken."""
    if not isinstance(exc, DBAPIError):
        return isinstance(exc, StatementError)
    state = str(getattr(exc.orig, "sqlstate", None) or "")
    # SQLSTATE's classes of bad data and of broken constraints; SQLite has exceptions for both.
    return isinstance(exc, DataError | IntegrityError) or state.startswith(("22", "23"))


class DatabaseError(Exception):
    """The database cannot be used; says what to do about it."""


class DatabaseUrlError(DatabaseError):
    """The setting itself cannot be used."""


class Database:
    """An open database. Close it, or its threads outlive the event loop."""

    def __init__(self, url: str, observe: Observer = _unobserved) -> None:
        self._observe = observe
        self._url = _checked(url)
        self.is_embedded = self._url.get_backend_name() == "sqlite"
        with _explained():
            if self.is_embedded:
                self._writer = sqlite.engine(self._url, begin="IMMEDIATE", pool_size=1)
                self._reader = sqlite.engine(self._url, begin="DEFERRED", pool_size=4)
                self._postgres = None
            else:
                self._postgres = Postgres(self._url)
                self._writer = self._postgres.engine
                # As on SQLite, all that one transaction reads is of one moment.
                self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ")

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, observe: Observer = _unobserved) -> AsyncIterator[Database]:
        """A database, brought up to date, until the end of the block. Raises `DatabaseError`."""
        database = cls(url, observe)
        try:
            await database.upgrade()
            yield database
        finally:
            await database.close()

    async def close(self) -> None:
        """Give every connection back."""
        if self._postgres is not None:
            return await self._postgres.close()
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction that may write: committed at the end, undone by an exception."""
        with self._observed("write"):
            async with self._begin(self._writer) as connection:
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A transaction that only reads, and waits for no writer."""
        with self._observed("read"):
            async with self._begin(self._reader) as connection:
                yield connection

    @asynccontextmanager
    async def _begin(self, engine: AsyncEngine) -> AsyncIterator[Transaction]:
        """A transaction that ends in time, one way or the other."""
        if self._postgres is None:  # a file answers, and its lock is waited for no longer than said
            async with engine.begin() as connection:
                yield connection
            return
        async with (
            _connected(engine) as connection,
            cut_off_when_late(connection),
            connection.begin(),
        ):
            yield connection

    def is_gone(self) -> bool:
        """Whether its file was deleted: what is written then is lost with the last who has it."""
        return self.is_embedded and not Path(self._url.database or "").exists()

    async def time(self) -> datetime:
        """What time it is where PostgreSQL runs; a file has no time. Raises `StoreError`."""
        async with self.reading() as tx:
            now: datetime = (await tx.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return now

    @contextmanager
    def _observed(self, access: Access) -> Iterator[None]:
        begun = time.monotonic()
        ending: Ending = "undone"
        try:
            yield
            ending = "committed"
        except StoreError:
            ending = "failed"
            raise
        finally:
            self._observe(access, ending, time.monotonic() - begun)

    async def upgrade(self) -> None:
        """Bring the tables up to date. Raises `DatabaseError` if the database cannot be opened."""
        try:
            with _explained():
                async with self._writer.begin() as connection:
                    await self._upgrade_alone(connection)
        except CommandError as exc:
            raise DatabaseError(f"a newer program has made this database: {exc}") from exc
        except (SQLAlchemyError, OSError) as exc:
            reason = getattr(exc, "orig", None) or exc
            raise DatabaseError(f"cannot open the database {self._shown()}: {reason}") from exc

    async def _upgrade_alone(self, tx: Transaction) -> None:
        if self._postgres is not None:
            for statement in ALONE:
                await tx.execute(text(statement))
        await tx.run_sync(_upgrade)

    def _shown(self) -> str:
        """The URL without user, password and host: of a password with an @ these show a part."""
        where = "" if self.is_embedded else "…"
        return f"{self._url.drivername}://{where}/{self._url.database}"

    def only_process(self) -> FileLock:
        """A lock that one serving process holds on an embedded database. Raises `DatabaseError`.

        Its leases are then dead leases: whoever held them cannot be alive.
        """
        # The same file, whichever name it is known by here.
        lock = FileLock(f"{Path(self._url.database or '').resolve()}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as exc:
            raise DatabaseError(
                f"another forwarder already serves {self._url.database}; stop it first, "
                "or use PostgreSQL for several processes"
            ) from exc
        return lock


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of the pool. That there is none to be had is the database's failure too."""
    connecting = engine.connect()
    try:
        connection = await connecting
    except OSError as exc:
        raise StoreError(f"the database cannot be reached: {type(exc).__name__}") from exc
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what a driver does not take of a URL, or that there is none, into a `DatabaseUrlError`.

    Of an option some hear when the engine is made, and others when it connects.
    """
    try:
        yield
    except ImportError as exc:
        raise DatabaseUrlError(
            "PostgreSQL needs a driver: install blink-pos-forwarder[postgres]"
        ) from exc
    except (TypeError, ValueError) as exc:
        raise DatabaseUrlError(f"DATABASE_URL has an option that cannot be: {exc}") from exc


def _checked(text: str) -> URL:
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError) as exc:
        raise DatabaseUrlError("DATABASE_URL is not a database URL") from exc
    if url.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        raise DatabaseUrlError(
            f"DATABASE_URL must start with sqlite+aiosqlite or postgresql+asyncpg, "
            f"not {url.drivername}"
        )
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise DatabaseUrlError(
            "DATABASE_URL must name a file: payments have to outlive the process"
        )
    if (url.database or "").startswith("file:"):
        raise DatabaseUrlError("DATABASE_URL must name a file by its path, not by a file: URI")
    return url


def alembic_config() -> Config:
    """Alembic's configuration, from the checkout or from the installed package."""
    root = _PACKAGE.parent
    in_checkout = (root / "alembic.ini").exists() and (root / "migrations" / "env.py").exists()
    ini = root / "alembic.ini" if in_checkout else _PACKAGE / "alembic.ini"
    migrations = root / "migrations" if in_checkout else _PACKAGE / "_migrations"
    config = Config(str(ini))
    config.set_main_option("script_location", str(migrations))
    return config


def _upgrade(connection: Connection) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
