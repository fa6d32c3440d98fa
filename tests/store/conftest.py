"""A database for each test, of both kinds: a SQLite file, and one on a real PostgreSQL server."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from forwarder.store.database import Database
from tests.databases import TEMPLATE, Cluster, migrate, run_apart


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
