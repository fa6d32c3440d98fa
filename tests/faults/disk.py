"""The database of a life: a real SQLite file, read and written between two steps of the loop.

aiosqlite works in threads, whose turns nobody can replay. Here its calls are made where its thread
would have been asked for them, and often answered a moment of virtual time later.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import aiosqlite
import pytest
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection, AsyncAdapt_dbapi_cursor
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util.concurrency import await_

from forwarder.store import database
from forwarder.store.database import Database
from tests.faults.life import Life

Begin = Literal["IMMEDIATE", "DEFERRED"]
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
    """Stands for the queue and the thread of one connection, which open and close it."""

    def __init__(self) -> None:
        self._life = Life.current.get()

    def put_nowait(self, item: tuple[asyncio.Future[object] | None, Callable[[], object]]) -> None:
        future, function = item
        answer = future or asyncio.get_running_loop().create_future()
        try:
            answer.set_result(self._call(function))
        except Exception as exc:
            answer.set_exception(exc)

    def _call(self, function: Callable[[], object]) -> object:
        answer, life = function(), self._life
        if isinstance(answer, sqlite3.Connection) and life is not None:
            life.connections.append(answer)
            if life.is_dead:
                answer.close()  # as all others of a life are
                raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        return answer


class _Statement(AsyncAdapt_dbapi_cursor):
    """A cursor whose driver is asked here and now; only a slow answer is waited for."""

    __slots__ = ()
    _cursor: Any
    _awaitable_cursor_close = False

    def _make_new_cursor(self, connection: Any) -> Any:  # noqa: ANN401 - the driver's own types
        return connection._conn.cursor()

    def _aenter_cursor(self, cursor: Any) -> Any:  # noqa: ANN401
        return cursor

    def execute(self, operation: Any, parameters: Any = None) -> None:  # noqa: ANN401
        with _answered(self._adapt_connection):
            self._cursor.execute(operation, parameters or ())
            if self._cursor.description:
                self._rows.extend(self._cursor.fetchall())

    def executemany(self, operation: Any, seq_of_parameters: Any) -> None:  # noqa: ANN401
        with _answered(self._adapt_connection):
            self._cursor.executemany(operation, seq_of_parameters)


@contextmanager
def _answered(connection: AsyncAdapt_dbapi_connection) -> Iterator[None]:
    """What the driver does in here is answered at once, or a moment later."""
    try:
        yield
    except Exception as exc:
        _take_time()
        connection._handle_exception(exc)
    _take_time()


def _take_time() -> None:
    is_slow = random.random() < _SLOW  # noqa: S311 - replayable on purpose
    seconds = random.uniform(0, _SLOW_SECONDS)  # noqa: S311
    await_(asyncio.sleep(seconds) if is_slow else _Now())


class _Now(Awaitable[None]):
    """Nothing to wait for: SQLAlchemy insists on awaiting something."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


def _commit(connection: AsyncAdapt_aiosqlite_connection) -> None:
    if raw := connection._connection._connection:
        with _answered(connection):
            raw.commit()


def _roll_back(connection: AsyncAdapt_aiosqlite_connection) -> None:
    if raw := connection._connection._connection:
        with _answered(connection):
            raw.rollback()


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
    make = database._sqlite_engine

    def kept(url: URL, *, begin: Begin, pool_size: int) -> AsyncEngine:
        """The same engine for each life, with a new pool: it has every statement compiled."""
        key = (url, begin, pool_size)
        if key not in engines:
            engines[key] = make(url, begin=begin, pool_size=pool_size)
        engines[key].sync_engine.dispose(close=False)
        return engines[key]

    async def is_up_to_date(_: Database) -> None: ...

    connect = sqlite3.connect
    patch.setattr(database, "_sqlite_engine", kept)
    patch.setattr(database, "_PRAGMAS", ("synchronous=OFF", "foreign_keys=ON"))
    patch.setattr(Database, "upgrade", is_up_to_date)
    patch.setattr(aiosqlite.core, "SimpleQueue", _Turn)
    patch.setattr(aiosqlite.core, "Thread", _NoThread)
    patch.setattr(aiosqlite.core.Connection, "__del__", lambda _: None)
    patch.setattr(AsyncAdapt_aiosqlite_connection, "_cursor_cls", _Statement)
    patch.setattr(AsyncAdapt_aiosqlite_connection, "commit", _commit)
    patch.setattr(AsyncAdapt_aiosqlite_connection, "rollback", _roll_back)
    patch.setattr(
        sqlite3,
        "connect",
        lambda *args, **more: connect(*args, **{"factory": _Connection, **more}),
    )
