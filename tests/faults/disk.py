"""The database of a life: a real SQLite file, read and written between two steps of the loop.

aiosqlite works in threads, whose turns nobody can replay. Here its calls are made where its thread
would have been asked for them, and often answered a moment of virtual time later.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import aiosqlite
import pytest
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from forwarder.store import sqlite
from forwarder.store.database import Database
from forwarder.store.sqlite import Begin
from tests.faults.life import Life

_SLOW = 0.4  # how often an answer takes its time, so that others come in between
_SLOW_SECONDS = 0.004

# What must never happen is written down by the database itself, whoever does it.
_WATCH = """
CREATE TABLE watched (forward INTEGER, was TEXT, became TEXT);
CREATE TRIGGER watch AFTER UPDATE OF state ON forwards WHEN OLD.state <> NEW.state
BEGIN INSERT INTO watched VALUES (NEW.id, OLD.state, NEW.state); END;
"""


class Disk:
    """The disk under the database; `trouble` is what writing on it raises, if anything."""

    trouble: ClassVar[str | None] = None


class _Turn:
    """Stands for the queue and the thread of one connection."""

    def __init__(self) -> None:
        self._life = Life.current.get()

    def put_nowait(self, item: tuple[asyncio.Future[object] | None, Callable[[], object]]) -> None:
        future, function = item
        if future is None:  # nobody waits, be it because there is no loop any more
            function()
            return
        try:
            give = partial(aiosqlite.core.set_result, future, self._call(function))
        except Exception as exc:
            give = partial(aiosqlite.core.set_exception, future, exc)
        if random.random() < _SLOW:  # noqa: S311 - replayable on purpose
            asyncio.get_running_loop().call_later(random.uniform(0, _SLOW_SECONDS), give)  # noqa: S311
        else:
            give()

    def _call(self, function: Callable[[], object]) -> object:
        answer, life = function(), self._life
        if isinstance(answer, sqlite3.Connection) and life is not None:
            life.connections.append(answer)
            if life.is_dead:
                answer.close()  # as all others of a life are
                raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        return answer


class _Left(sqlite.Connection):
    """A connection that nobody misses when its life has ended, be it long after the test."""

    def __del__(self) -> None: ...


class _NoThread:
    def __init__(self, target: object, args: object) -> None: ...

    def start(self) -> None: ...


class _Connection(sqlite3.Connection):
    """A connection on a disk that can be in trouble."""

    def cursor(self, *_: Any) -> Any:  # noqa: ANN401 - as the driver has it
        return super().cursor(_Cursor)


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, *parameters: Any) -> _Cursor:  # noqa: ANN401
        if Disk.trouble is not None and sql.startswith("BEGIN IMMEDIATE"):
            raise sqlite3.OperationalError(Disk.trouble)
        super().execute(sql, *parameters)
        return self


class Files:
    """Where the databases of a test process are; each run begins with a fresh copy of one."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.path = folder / "forwarder.db"
        self._template = template
        self._backup = folder / "backup.db"
        self._outside: sqlite3.Connection | None = None

    @property
    def url(self) -> str:
        return f"sqlite+aiosqlite:///{self.path}"

    def renew(self) -> None:
        """An empty database that is up to date."""
        self._replace(self._template)

    def back_up(self) -> None:
        """Keep what is committed now, as a backup does."""
        self._backup.unlink(missing_ok=True)
        with sqlite3.connect(self.path) as source, sqlite3.connect(self._backup) as target:
            source.backup(target)
        source.close()
        target.close()

    def restore(self) -> None:
        """Put the older copy in the place of the database."""
        self._replace(self._backup)

    @property
    def has_backup(self) -> bool:
        return self._backup.exists()

    def forget_backup(self) -> None:
        self._backup.unlink(missing_ok=True)

    def read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What is committed, seen from outside."""
        if self._outside is None:
            self._outside = sqlite3.connect(self.path)
        return self._outside.execute(query, values).fetchall()

    def holds(self, text: str) -> bool:
        """Whether a text is anywhere in the files of the database, be it in what was deleted."""
        mine = self.path.parent.glob(f"{self.path.name}*")
        return any(text.encode() in path.read_bytes() for path in mine)

    def insert(self, table: str, **values: object) -> None:
        """Add a row, as another program would."""
        names, marks = ", ".join(values), ", ".join("?" for _ in values)
        query = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
        self.update(query, *values.values())

    def update(self, query: str, *values: object) -> None:
        """Change something, as another program would."""
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute(query, values)
        connection.close()

    def _replace(self, source: Path) -> None:
        if self._outside is not None:
            self._outside.close()
            self._outside = None
        for left in self.path.parent.glob("forwarder.db*"):
            left.unlink()
        shutil.copyfile(source, self.path)


def make_template(path: Path) -> Path:
    """A database that is up to date and watched, to copy from."""

    async def migrate() -> None:
        fresh = Database(f"sqlite+aiosqlite:///{path}")
        await fresh.upgrade()
        await fresh.close()

    asyncio.run(migrate())
    connection = sqlite3.connect(path)
    connection.executescript(_WATCH)
    connection.close()
    return path


def replace(patch: pytest.MonkeyPatch) -> None:
    """Have every database that is opened from now on be one of these."""
    engines: dict[tuple[URL, Begin, int], AsyncEngine] = {}
    make = sqlite.engine

    def kept(url: URL, *, begin: Begin, pool_size: int) -> AsyncEngine:
        """The same engine for each life, with a new pool: it has every statement compiled."""
        key = (url, begin, pool_size)
        if key not in engines:
            engines[key] = make(url, begin=begin, pool_size=pool_size)
        engines[key].sync_engine.dispose(close=False)
        return engines[key]

    async def is_up_to_date(_: Database) -> None: ...

    connect = sqlite3.connect
    patch.setattr(sqlite, "engine", kept)
    patch.setattr(sqlite, "_PRAGMAS", ("synchronous=OFF", "foreign_keys=ON"))
    patch.setattr(Database, "upgrade", is_up_to_date)
    patch.setattr(aiosqlite.core, "SimpleQueue", _Turn)
    patch.setattr(aiosqlite.core, "Thread", _NoThread)
    patch.setattr(sqlite, "Connection", _Left)
    patch.setattr(
        sqlite3,
        "connect",
        lambda *args, **more: connect(*args, **{"factory": _Connection, **more}),
    )
