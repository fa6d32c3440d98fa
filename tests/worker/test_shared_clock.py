"""Processes whose clocks differ agree on the time, for it is the database's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.store.database import Database, StoreError
from forwarder.worker import shared_clock
from forwarder.worker.clock import utc_now
from forwarder.worker.shared_clock import SharedClock, clock_of
from tests.databases import TEMPLATE, Cluster
from tests.worker.conftest import Shop, running, until

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


class Told(Database):
    """A database that says what time it is."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.now = NOON
        self.asked = 0
        self.fails = False

    async def time(self) -> datetime:
        self.asked += 1
        if self.fails:
            raise StoreError
        return self.now


@pytest.fixture
def told(cluster: Cluster) -> Iterator[Told]:
    name = cluster.create(TEMPLATE)
    yield Told(cluster.url(name))
    cluster.drop(name)


async def test_it_goes_by_the_database_and_never_jumps(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SharedClock(told)
    await clock.read()
    assert timedelta(0) <= clock() - NOON < timedelta(seconds=1)
    later = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert timedelta(seconds=59) < clock() - NOON < timedelta(seconds=61)
    assert told.asked == 1


async def test_a_slow_answer_says_too_little(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SharedClock(told)
    await clock.read()
    monkeypatch.setattr(shared_clock, "USABLE_SECONDS", -1.0)
    told.now += timedelta(hours=1)
    await clock.read()
    assert clock() < NOON + timedelta(minutes=1)


async def test_it_follows_the_database_and_outlives_its_failures(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_clock, "READ_AGAIN_SECONDS", 0.01)
    clock = SharedClock(told)
    await clock.read()
    async with running(clock.run):
        told.fails = True
        asked = told.asked
        await until(lambda: told.asked > asked)
        told.fails, told.now = False, NOON + timedelta(hours=1)
        await until(lambda: clock() >= NOON + timedelta(hours=1))


async def test_the_clock_of_a_file_is_this_machines(shop: Shop, told: Told) -> None:
    assert await clock_of(shop.database) is utc_now
    assert isinstance(await clock_of(told), SharedClock)
