"""Neither a frozen process nor a network that forgets keeps the others from the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from forwarder.store import leases, locks, postgres, tables
from forwarder.store.database import Database, StoreError
from tests.databases import TEMPLATE, Cluster, Relay
from tests.store.rows import NOW, rows_of

TIMES = ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")


@pytest.fixture
def name(cluster: Cluster) -> Iterator[str]:
    made = cluster.create(TEMPLATE)
    yield made
    cluster.drop(made)


@pytest.fixture
async def relay(cluster: Cluster) -> AsyncIterator[Relay]:
    async with Relay.serve(cluster) as relay:
        yield relay


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that takes seconds takes a fraction of one."""
    monkeypatch.setattr(postgres, "CONNECTS_WITHIN", 0.3)
    monkeypatch.setattr(postgres, "ENDS_WITHIN", 0.3)
    monkeypatch.setattr(postgres, "CLOSES_WITHIN", 0.1)


async def take(database: Database, name: str = "watch") -> bool:
    async with database.transaction() as tx:
        return await leases.take(tx, name, "me", NOW, NOW + timedelta(seconds=5))


async def test_a_process_that_freezes_in_a_transaction_loses_what_it_held(
    cluster: Cluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres._SETTINGS, "idle_in_transaction_session_timeout", "200ms")
    monkeypatch.setattr(postgres, "ENDS_WITHIN", 600.0)  # its own timers are frozen with it
    frozen, other = Database(cluster.url(name)), Database(cluster.url(name))
    held, thawed = asyncio.Event(), asyncio.Event()

    async def freeze() -> None:
        async with frozen.transaction() as tx:
            await locks.hold(tx, "sending")
            held.set()
            await thawed.wait()  # no more is heard of it, as of a process under SIGSTOP
            await leases.take(tx, "sending", "me", NOW, NOW)

    freezing = asyncio.create_task(freeze())
    await held.wait()
    async with asyncio.timeout(5), other.transaction() as tx:
        await locks.hold(tx, "sending")
    thawed.set()
    with pytest.raises(StoreError):
        await freezing
    assert await take(frozen)  # on a new connection
    async with other.reading() as tx:
        assert await rows_of(tx, tables.leases) == 1
    await frozen.close()
    await other.close()


async def test_whoever_waits_for_a_lock_waits_no_longer_than_said(
    cluster: Cluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres._SETTINGS, "lock_timeout", "100ms")
    one, other = Database(cluster.url(name)), Database(cluster.url(name))
    async with one.transaction() as tx:
        await locks.hold(tx, "sending")
        with pytest.raises(StoreError):
            async with other.transaction() as waiting:
                await locks.hold(waiting, "sending")
    assert await take(other)
    await one.close()
    await other.close()


@pytest.mark.usefixtures("hurried")
async def test_a_connection_that_falls_silent_is_given_up_and_the_next_one_works(
    relay: Relay, name: str, logged: pytest.LogCaptureFixture
) -> None:
    database = Database(relay.url(name))
    assert await take(database)
    relay.freeze()
    for _ in range(2):  # in the pool, and when it is made
        with pytest.raises(StoreError):
            await take(database)
    assert "has not answered in time" in logged.text
    relay.thaw()
    assert await take(database)
    await database.close()


@pytest.mark.usefixtures("hurried")
async def test_a_commit_that_is_not_answered_fails(relay: Relay, name: str) -> None:
    database = Database(relay.url(name))

    async def write() -> None:
        async with database.transaction() as tx:
            await leases.take(tx, "watch", "me", NOW, NOW)
            relay.freeze()

    with pytest.raises(StoreError):
        await write()
    relay.thaw()
    await database.close()


@pytest.mark.usefixtures("hurried")
async def test_a_server_that_says_nothing_is_left_without_a_goodbye(
    relay: Relay, name: str, logged: pytest.LogCaptureFixture
) -> None:
    database = Database(relay.url(name))
    await asyncio.gather(*(take(database, f"lease-{n}") for n in range(4)))
    relay.freeze()
    async with asyncio.timeout(5):
        await database.close()
    assert "did not let go" in logged.text
    relay.thaw()


async def test_several_processes_may_start_at_once_on_an_empty_database(empty_url: str) -> None:
    started = [Database(empty_url) for _ in range(6)]
    await asyncio.gather(*(database.upgrade() for database in started))
    assert await take(started[0])
    for database in started:
        await database.close()


async def test_the_time_is_the_servers(cluster: Cluster, name: str) -> None:
    database = Database(cluster.url(name))
    assert abs(await database.time() - datetime.now(UTC)) < timedelta(minutes=1)
    async with database.reading() as tx:
        shown = [(await tx.execute(text(f"SHOW {one}"))).scalar_one() for one in TIMES]
    assert shown == ["4s", "6s", "7s"]
    await database.close()
