"""The supervisor, the notifier, the bell, the clock, and the waits between tries."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tenacity import wait_exponential, wait_fixed, wait_random_exponential
from tenacity.wait import wait_base

from forwarder.model.message import Message
from forwarder.worker import backoff
from forwarder.worker import supervisor as supervisor_module
from forwarder.worker.backoff import Backoff, seconds_before
from forwarder.worker.bell import Bell
from forwarder.worker.clock import monotonic, utc_now
from forwarder.worker.metrics import Metrics
from forwarder.worker.notifier import Notifier
from forwarder.worker.supervisor import Supervisor
from tests.worker.conftest import START, Page, until


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    def soon(*_: object, **__: object) -> wait_base:
        return wait_fixed(0.05)

    monkeypatch.setattr(backoff, "wait_random_exponential", soon)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("dies", [True, False])
async def test_a_task_that_has_ended_is_started_again_and_that_is_said(
    dies: bool, logged: pytest.LogCaptureFixture
) -> None:
    supervisor, runs = Supervisor(Metrics()), 0
    again = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            if dies:
                raise ZeroDivisionError
            return
        again.set()
        await asyncio.Event().wait()

    supervisor.start("work", work)
    await until(lambda: supervisor.down == {"work"})
    await again.wait()
    assert supervisor.down == set()
    assert ("a task has died" in logged.text) is dies
    await supervisor.stop()


@pytest.mark.usefixtures("impatient")
async def test_a_task_that_a_stray_cancellation_has_ended_is_started_again() -> None:
    supervisor, runs = Supervisor(Metrics()), 0
    again = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise asyncio.CancelledError  # of something that it has waited for, not of itself
        again.set()
        await asyncio.Event().wait()

    supervisor.start("work", work)
    await again.wait()
    await supervisor.stop()


@pytest.mark.usefixtures("impatient")
async def test_a_task_that_takes_its_cancellation_for_something_else_is_stopped_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor_module, "STUBBORN_SECONDS", 0.01)
    supervisor, cancelled = Supervisor(Metrics()), 0
    begun = asyncio.Event()

    async def work() -> None:
        nonlocal cancelled
        while True:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled += 1
                if cancelled == 2:
                    raise

    supervisor.start("work", work)
    await begun.wait()
    await supervisor.stop()
    assert cancelled == 2


@pytest.mark.usefixtures("impatient")
async def test_the_death_of_one_task_leaves_the_others_alone() -> None:
    supervisor = Supervisor(Metrics())
    ended: list[str] = []

    async def dies() -> None:
        raise ZeroDivisionError

    async def lives() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("lives")

    supervisor.start("dies", dies)
    supervisor.start("lives", lives)
    await until(lambda: supervisor.down == {"dies"})
    assert ended == []
    await supervisor.stop()
    assert ended == ["lives"]


async def test_a_page_is_told_of_its_own_invoices(  # and of the watch, once
) -> None:
    notifier, one, other = Notifier(), Page(), Page()
    notifier.join(1, one)
    notifier.join(2, one)
    notifier.join(2, other)
    first, second = Message("a", 1, {}), Message("b", 2, {})
    await notifier.deliver([first, second, Message("c", 3, {})])
    assert (one.told, other.told) == ([first, second], [second])
    await notifier.tell_watch("open", START)
    assert (one.watch, other.watch) == (["open"], ["open"])


async def test_a_page_that_has_left_is_told_nothing() -> None:
    notifier, page, other = Notifier(), Page(), Page()
    for invoice_id in (1, 2):
        notifier.join(invoice_id, page)
    notifier.join(2, other)
    notifier.leave(page)
    notifier.leave(page)
    await notifier.deliver([Message("a", 1, {}), Message("b", 2, {})])
    await notifier.tell_watch("open", START)
    assert page.told == []
    assert page.watch == []
    assert len(other.told) == 1


async def test_a_bell_that_was_rung_before_is_heard_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert await bell.wait()
    assert not await bell.wait(0.01)


async def test_a_bell_wakes_who_waits() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    bell.ring()
    assert await waiting


async def test_the_clock_is_in_utc_and_the_other_only_goes_forward() -> None:
    assert utc_now().tzinfo is UTC
    assert abs(utc_now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert monotonic() <= monotonic()


def test_waits_grow_and_stay_below_their_limit() -> None:
    strategy = wait_random_exponential(multiplier=0.5, max=15)
    for attempt in range(1, 2_000, 7):
        assert 0 <= seconds_before(attempt, strategy) <= 15
    assert max(seconds_before(1, strategy) for _ in range(50)) <= 0.5


def test_pauses_grow_with_failures_in_a_row_and_begin_anew_after_a_healthy_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "wait_random_exponential", wait_exponential)  # its upper end
    pauses = Backoff(longest_seconds=3)
    lasted = (0, 1, 59, 60, 61, 0)
    assert [pauses.pause_seconds(seconds) for seconds in lasted] == [0.5, 1, 2, 3, 0.5, 1]
