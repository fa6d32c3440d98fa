"""Whether a task that never ends still turns: when it last did something, or went to rest.

Everything that a task does ends in bounded time: a call of ours has a deadline, and so has a
transaction. Each of them is a beat, so a task that neither beats nor rests for long hangs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from forwarder.worker.clock import monotonic

STANDS_STILL_SECONDS: Final = 15.0


@dataclass(slots=True)
class Pulse:
    """The pulse of one task."""

    beaten_at: float = field(default_factory=monotonic)
    is_resting: bool = False

    @property
    def stands_still_for(self) -> float:
        """For how many seconds nothing was done; 0 during a rest."""
        return 0.0 if self.is_resting else monotonic() - self.beaten_at


_current: ContextVar[Pulse | None] = ContextVar("pulse", default=None)


def take() -> Pulse:
    """Begin a pulse for the task that runs, and for what it calls."""
    pulse = Pulse()
    _current.set(pulse)
    return pulse


def leave() -> None:
    """Count no longer for the task that has started this one."""
    _current.set(None)


def beat() -> None:
    """Something was done."""
    if (pulse := _current.get()) is not None:
        pulse.beaten_at = monotonic()


@contextmanager
def resting() -> Iterator[None]:
    """Wait meanwhile for something that may well not come."""
    pulse = _current.get()
    if pulse is None:
        yield
        return
    pulse.is_resting = True
    try:
        yield
    finally:
        pulse.is_resting, pulse.beaten_at = False, monotonic()


async def rest(seconds: float) -> None:
    """Sleep, and mean to."""
    with resting():
        await asyncio.sleep(seconds)
