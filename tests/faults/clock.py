"""Virtual time: an event loop whose clock jumps to the next timer when nobody has work to do."""

from __future__ import annotations

import asyncio
import contextvars
import random
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

BEGINNING = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Stuck(Exception):
    """Nothing is under way, and no timer will ever ring."""


class _Jump(selectors.SelectSelector):
    """Instead of waiting for a socket it lets the time pass: in here there are no sockets."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that counts its own seconds from 0 on."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def now() -> datetime:
    """The true time in here."""
    return BEGINNING + timedelta(seconds=asyncio.get_running_loop().time())


def run(work: Callable[[], Coroutine[Any, Any, T]], seed: int) -> T:
    """Run something in virtual time, with all that is random drawn from `seed`."""
    state = random.getstate()
    random.seed(seed)
    loop = VirtualLoop()
    try:
        return contextvars.Context().run(loop.run_until_complete, _whole(work))
    finally:
        random.setstate(state)
        loop.close()


async def _whole(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The work and the end of everything that it has left behind."""
    try:
        return await work()
    finally:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
