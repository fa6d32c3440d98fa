"""The tables of a database, made step by step, are those that the store works on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect

from forwarder.store import tables
from forwarder.store.database import Database, alembic_config
from tests.store.rows import a_forward

ROOT = Path(__file__).parents[2]


async def with_alembic(database: Database, work: Callable[[Config], object]) -> None:
    """Do something of alembic's in a transaction of the database."""

    def run(connection: Connection) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        work(config)

    async with database.transaction() as tx:
        await tx.run_sync(run)


async def table_names(database: Database) -> set[str]:
    """The tables that are there."""
    async with database.reading() as tx:
        return set(await tx.run_sync(lambda connection: inspect(connection).get_table_names()))


async def test_an_empty_database_is_brought_up_to_date(empty_url: str) -> None:
    database = Database(empty_url)
    await database.upgrade()
    assert await table_names(database) == {*tables.metadata.tables, "alembic_version"}
    async with database.transaction() as tx:
        await a_forward(tx)
    await database.close()


async def test_bringing_up_to_date_twice_changes_nothing(database: Database) -> None:
    async with database.transaction() as tx:
        kept = await a_forward(tx)
    await database.upgrade()
    async with database.reading() as tx:
        assert await tx.run_sync(lambda connection: inspect(connection).has_table("forwards"))
    assert kept.id


async def test_the_migrations_lead_to_the_tables_of_the_store(database: Database) -> None:
    await with_alembic(database, command.check)


async def test_what_was_brought_up_to_date_can_be_taken_back(database: Database) -> None:
    await with_alembic(database, lambda config: command.downgrade(config, "base"))
    assert await table_names(database) == {"alembic_version"}
    await database.upgrade()
    assert await table_names(database) == {*tables.metadata.tables, "alembic_version"}


async def test_two_processes_that_start_together_both_find_the_tables(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(2)]
    await asyncio.gather(databases[0].upgrade(), asyncio.sleep(0))
    await databases[1].upgrade()
    for database in databases:
        assert set(tables.metadata.tables) < await table_names(database)
        await database.close()


async def test_alembic_can_be_run_by_hand_in_a_checkout(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/by-hand.db"
    environment = {**os.environ, "DATABASE_URL": url}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "upgrade", "head"), cwd=ROOT, env=environment
    )
    assert await process.wait() == 0
    database = Database(url)
    assert set(tables.metadata.tables) < await table_names(database)
    await database.close()
