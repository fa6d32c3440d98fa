"""Things that happen later, and do not when the sandbox has closed before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    def __init__(self) -> None:
        self._pending: dict[asyncio.TimerHandle, Callable[[], object]] = {}

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        def run() -> None:
            del self._pending[handle]
            action()

        handle = asyncio.get_running_loop().call_later(seconds, run)
        self._pending[handle] = run

    def every(self, seconds: float, action: Callable[[], object]) -> None:
        def run() -> None:
            action()
            self.after(seconds, run)

        self.after(seconds, run)

    def hasten(self) -> None:
        """Let everything that is to happen later happen now."""
        for handle, run in list(self._pending.items()):
            handle.cancel()
            run()

    def cancel(self) -> None:
        for handle in self._pending:
            handle.cancel()
        self._pending.clear()
