"""Things that happen later, and do not when the sandbox has closed before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    def __init__(self) -> None:
        self._handles: set[asyncio.TimerHandle] = set()

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        def run() -> None:
            self._handles.discard(handle)
            action()

        handle = asyncio.get_running_loop().call_later(seconds, run)
        self._handles.add(handle)

    def every(self, seconds: float, action: Callable[[], object]) -> None:
        def run() -> None:
            action()
            self.after(seconds, run)

        self.after(seconds, run)

    def cancel(self) -> None:
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()
