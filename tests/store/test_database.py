"""A database is opened, asked, and never half-written."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import StatementError

from forwarder.store import tables
from forwarder.store.database import Database, DatabaseError, DatabaseUrlError, StoreError
from tests.store.rows import NOW, a_merchant, rows_of

TABLE = tables.handshakes


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/forwarder.db"


async def fail(database: Database) -> None:
    """A transaction that is not to come to its end."""
    async with database.transaction() as tx:
        await a_merchant(tx)
        raise ZeroDivisionError


async def test_an_exception_undoes_the_transaction(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await fail(database)
    async with database.reading() as tx:
        assert await rows_of(tx, tables.merchants) == 0


SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
    "SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(0.1)",
}


async def test_a_transaction_that_is_cancelled_within_a_statement_is_undone(
    database: Database,
) -> None:
    begun = asyncio.Event()

    async def write() -> None:
        async with database.transaction() as tx:
            await a_merchant(tx)
            begun.set()
            await tx.execute(text(SLOW[tx.dialect.name]))

    writing = asyncio.create_task(write())
    await begun.wait()
    await asyncio.sleep(0.01)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    async with database.transaction() as tx:
        assert await rows_of(tx, tables.merchants) == 0
        await a_merchant(tx)
    async with database.reading() as tx:
        assert await rows_of(tx, tables.merchants) == 1


async def test_several_rows_are_inserted_by_one_statement(database: Database) -> None:
    moments = [NOW + timedelta(seconds=n) for n in range(3)]
    async with database.transaction() as tx:
        await tx.execute(insert(TABLE), [{"at": moment} for moment in moments])
    async with database.reading() as tx:
        assert list((await tx.execute(select(TABLE.c.at))).scalars()) == moments


async def test_a_row_that_cannot_be_read_holds_up_nobody(file_url: str) -> None:
    async with Database.open(file_url) as database:
        with pytest.raises(StoreError, match="decode") as kept:
            async with database.reading() as tx:
                await tx.execute(text("SELECT CAST(x'ff' AS TEXT) FROM sqlite_master"))
        async with database.transaction() as tx:
            await a_merchant(tx)
        async with database.reading() as tx:
            assert await rows_of(tx, tables.merchants) == 1
        assert kept.value  # with all that its traceback holds


async def test_what_the_url_says_of_the_driver_cannot_undo_what_we_need(file_url: str) -> None:
    async with Database.open(f"{file_url}?isolation_level=DEFERRED&timeout=0.1") as database:
        with pytest.raises(ZeroDivisionError):
            await fail(database)
        async with database.reading() as tx:
            assert await rows_of(tx, tables.merchants) == 0


async def test_a_transaction_is_seen_by_others_only_when_it_has_ended(
    database: Database, other: Database
) -> None:
    async with database.transaction() as tx:
        await a_merchant(tx)
        async with other.reading() as reading:
            assert await rows_of(reading, tables.merchants) == 0
    async with other.reading() as reading:
        assert await rows_of(reading, tables.merchants) == 1


async def test_a_moment_comes_back_in_utc(database: Database) -> None:
    moment = datetime(2026, 8, 1, 7, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=-5)))
    async with database.transaction() as tx:
        await tx.execute(insert(TABLE).values(at=moment))
    async with database.reading() as tx:
        kept = (await tx.execute(select(TABLE.c.at))).scalar_one()
    assert kept == moment
    assert kept.tzinfo is UTC
    assert kept.hour == 12


async def test_a_time_without_a_time_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a time zone"):
        async with database.transaction() as tx:
            await tx.execute(insert(TABLE).values(at=NOW.replace(tzinfo=None)))


async def test_no_update_is_lost_between_two_processes(database: Database, other: Database) -> None:
    """On PostgreSQL it is the row's lock that holds, on SQLite the one writer."""
    async with database.transaction() as tx:
        merchant = await a_merchant(tx)
    table = tables.merchants

    async def count(one: Database) -> None:
        async with one.transaction() as tx:
            row = select(table.c.wallet_id).where(table.c.id == merchant.id).with_for_update()
            kept = (await tx.execute(row)).scalar_one()
            number = int(kept) + 1 if kept.isdecimal() else 1
            await tx.execute(update(table).values(wallet_id=str(number)))

    await asyncio.gather(*(count(one) for one in (database, other) for _ in range(25)))
    async with database.reading() as tx:
        assert (await tx.execute(select(table.c.wallet_id))).scalar_one() == "50"


# SQLite


async def test_a_file_keeps_what_was_committed_through_a_power_cut(file_url: str) -> None:
    database = Database(file_url)
    assert database.is_embedded
    for opening in (database.transaction, database.reading):
        async with opening() as tx:
            pragmas = [
                (await tx.execute(text(f"PRAGMA {name}"))).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        assert pragmas == ["wal", 2, 1]  # 2 is FULL
    await database.close()


async def test_a_reader_waits_for_no_writer(file_url: str) -> None:
    database = Database(file_url)
    await database.upgrade()
    async with database.transaction() as tx:
        await a_merchant(tx)
        async with asyncio.timeout(1), database.reading() as reading:
            assert await rows_of(reading, tables.merchants) == 0
    await database.close()


@pytest.mark.parametrize("name", ["forwarder.db", "another-name.db"])
async def test_one_process_serves_a_file(file_url: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "another-name.db").symlink_to("forwarder.db")
    first, second = Database(file_url), Database(f"sqlite+aiosqlite:///{tmp_path}/{name}")
    lock = first.only_process()
    with pytest.raises(DatabaseError, match="another forwarder already serves"):
        second.only_process()
    lock.release()
    second.only_process().release()
    await first.close()
    await second.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense", "no|not a database URL"),
        ("mysql://host/name", "must start with"),
        ("sqlite:///forwarder.db", "must start with"),
        ("postgresql://host/name", "must start with"),
        ("sqlite+aiosqlite://", "must name a file"),
        ("sqlite+aiosqlite:///:memory:", "must name a file"),
        ("sqlite+aiosqlite:///file:forwarder.db?uri=true", "by its path"),
        ("sqlite+aiosqlite:///forwarder.db?timeout=soon", "an option that cannot be"),
    ],
)
def test_what_cannot_keep_payments_is_refused(url: str, why: str) -> None:
    with pytest.raises(DatabaseError, match=why):
        Database(url)


def test_postgresql_without_its_driver_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(DatabaseUrlError, match=r"\[postgres\]"):
        Database("postgresql+asyncpg://127.0.0.1/name")


async def test_an_option_that_the_driver_does_not_know_is_refused() -> None:
    database = Database("postgresql+asyncpg://me:canary@127.0.0.1:1/name?sslmode=require")
    with pytest.raises(DatabaseUrlError, match="sslmode"):
        await database.upgrade()
    await database.close()


async def test_a_database_of_a_newer_program_is_left_alone(file_url: str) -> None:
    async with Database.open(file_url) as database, database.transaction() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    again = Database(file_url)
    with pytest.raises(DatabaseError, match="a newer program"):
        await again.upgrade()
    await again.close()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite:////nowhere/at/all/forwarder.db",
        "postgresql+asyncpg://me:canary@127.0.0.1:1/name",
        "postgresql+asyncpg://me:a@canary@127.0.0.1:1/name",
    ],
)
async def test_what_cannot_be_opened_says_so_without_the_password(url: str) -> None:
    database = Database(url)
    with pytest.raises(DatabaseError, match="cannot open the database") as caught:
        await database.upgrade()
    assert "canary" not in str(caught.value)
    await database.close()
