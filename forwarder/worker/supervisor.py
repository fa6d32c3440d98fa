"""Keeps the worker's tasks alive, and notices when one dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from forwarder.worker import pulse
from forwarder.worker.backoff import Backoff
from forwarder.worker.clock import monotonic
from forwarder.worker.metrics import Metrics
from forwarder.worker.pulse import STANDS_STILL_SECONDS, Pulse

log = structlog.get_logger(__name__)

LONGEST_PAUSE_SECONDS: Final = 30.0
STUBBORN_SECONDS: Final = 1.0


class Supervisor:
    """Runs endless tasks under their names, and starts one that has died again after a pause.

    A till must go on while the disk is full or the database is restarted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._deaths = metrics.deaths
        self._tasks: list[asyncio.Task[None]] = []
        self._pulses: dict[str, Pulse] = {}
        self.down: set[str] = set()

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a task for as long as the supervisor lives."""
        self._deaths.labels(name).inc(0)  # shown from the beginning
        self._tasks.append(asyncio.create_task(self._keep_running(name, run), name=name))

    def still(self) -> dict[str, float]:
        """The tasks that hang, and for how many seconds they have done so."""
        seconds = {name: pulse.stands_still_for for name, pulse in self._pulses.items()}
        return {name: one for name, one in seconds.items() if one > STANDS_STILL_SECONDS}

    async def stop(self) -> None:
        """Cancel every task and wait for its end."""
        running = set(self._tasks)
        while running:
            # Again and again: a library can take a cancellation for a time-out of its own.
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=STUBBORN_SECONDS)

    async def _keep_running(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._pulses[name] = pulse.take()
        backoff = Backoff(LONGEST_PAUSE_SECONDS)
        while True:
            begun = monotonic()
            try:
                await run()
            except asyncio.CancelledError:
                if _is_to_end():
                    raise
                log.exception("a task was cut short and is started again", task=name)
            except Exception:
                log.exception("a task has died and is started again", task=name)
            self._deaths.labels(name).inc()
            self.down.add(name)
            await pulse.rest(backoff.pause_seconds(monotonic() - begun))
            self.down.discard(name)


def _is_to_end() -> bool:
    """Whether this task itself was cancelled, and not only something that it has waited for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
