"""What keeps a process from serving is said in words, and soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forwarder.store import leases
from forwarder.worker import pulse, readiness, supervisor
from forwarder.worker.readiness import Readiness
from forwarder.worker.supervisor import Supervisor
from tests.worker.conftest import Shop, until


@pytest.fixture
async def watched(shop: Shop) -> AsyncIterator[Supervisor]:
    await shop.accounts.pos()
    made = Supervisor(shop.common.metrics)
    yield made
    await made.stop()


@pytest.fixture
def asked(shop: Shop, watched: Supervisor, monkeypatch: pytest.MonkeyPatch) -> Readiness:
    monkeypatch.setattr(readiness, "KNOWN_FOR_SECONDS", 0.0)
    return Readiness(shop.common, watched)


async def test_nothing_is_in_the_way_of_a_service_that_is_well(asked: Readiness) -> None:
    assert await asked.lacks() is None


async def test_a_database_that_cannot_be_written_is_in_the_way(
    shop: Shop, asked: Readiness
) -> None:
    async with shop.without("leases"):
        assert "cannot be written" in str(await asked.lacks())
    assert await asked.lacks() is None


async def test_a_file_that_was_deleted_is_in_the_way(
    shop: Shop, asked: Readiness, tmp_path: Path
) -> None:
    (tmp_path / "forwarder.db").unlink()
    assert await asked.lacks() == "the file of the database is gone"


async def test_a_database_that_does_not_answer_is_asked_once_and_not_waited_for(
    asked: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "WRITES_WITHIN_SECONDS", 0.01)
    answers, asks = asyncio.Event(), 0

    async def hang(*_: object) -> bool:
        nonlocal asks
        asks += 1
        await answers.wait()
        return True

    monkeypatch.setattr(leases, "take", hang)
    for _ in range(3):
        assert await asked.lacks() == "the database does not answer"
    assert asks == 1
    answers.set()
    await until(lambda: _ready(asked))


async def _ready(asked: Readiness) -> bool:
    return await asked.lacks() is None


async def test_many_may_ask_at_once(asked: Readiness) -> None:
    assert await asyncio.gather(*(asked.lacks() for _ in range(5))) == [None] * 5


async def test_an_answer_is_good_for_a_while(
    shop: Shop, asked: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await asked.lacks() is None
    monkeypatch.setattr(readiness, "KNOWN_FOR_SECONDS", 60.0)
    async with shop.without("leases"):
        assert await asked.lacks() is None


# Tasks


async def test_a_task_that_has_died_is_in_the_way(asked: Readiness, watched: Supervisor) -> None:
    async def die() -> None:
        raise ZeroDivisionError

    watched.start("watcher", die)
    await until(lambda: bool(watched.down))
    assert str(await asked.lacks()).startswith("the task watcher has died")


@pytest.mark.parametrize("does", ["hangs", "rests", "beats", "has done with resting"])
async def test_a_task_that_hangs_is_in_the_way_and_one_that_rests_is_not(
    does: str, asked: Readiness, watched: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STANDS_STILL_SECONDS", 0.1)

    async def work() -> None:
        if does == "has done with resting":
            await pulse.rest(0)
        if does == "rests":
            await pulse.rest(60)
        while does == "beats":
            pulse.beat()
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    watched.start("watcher", work)
    await asyncio.sleep(0.2)
    reason = await asked.lacks()
    is_still = reason is not None and reason.startswith("the task watcher stands still for")
    assert is_still is (does not in ("rests", "beats"))


async def test_what_a_task_has_started_counts_for_itself() -> None:
    mine = pulse.take()
    before = mine.beaten_at

    async def work() -> None:
        pulse.leave()
        pulse.beat()
        with pulse.resting():
            assert not mine.is_resting

    await asyncio.create_task(work())
    assert mine.beaten_at == before
