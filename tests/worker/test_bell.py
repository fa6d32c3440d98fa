"""A bell is heard once, by whoever waits now or next."""

from __future__ import annotations

import asyncio

from forwarder.worker.bell import Bell


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
