"""A task that dies is started again, and one that is to end does end."""

from __future__ import annotations

import asyncio

import pytest
from tenacity import wait_fixed
from tenacity.wait import wait_base

from forwarder.worker import backoff
from forwarder.worker import supervisor as supervisor_module
from forwarder.worker.metrics import Metrics
from forwarder.worker.supervisor import Supervisor
from tests.worker.conftest import until


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
