"""A forwarder process that is started without waiting for it, because it may be killed first."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass, field
from typing import Final

from tests.e2e.process import Forwarder

RUN: Final = ("-m", "forwarder", "run")


@dataclass
class Child(Forwarder):
    """The real process; `program` is what Python is given to run."""

    program: tuple[str, ...] = RUN
    _starting: asyncio.Task[None] | None = field(default=None, repr=False)

    def begin(self) -> asyncio.Task[None]:
        """Start it; the task ends when it is ready."""
        self._starting = asyncio.create_task(self.start())
        return self._starting

    async def kill(self) -> None:
        """SIGKILL, in whatever state it is."""
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await super().kill()

    async def start(self, **more: str) -> None:
        """Start it and wait until it is ready."""
        environment = {"PORT": str(self.port), "PATH": "/usr/bin:/bin", **self.environment, **more}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self.program,
            cwd=self.folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        await self._until_ready()

    async def command(self, *words: str, **more: str) -> None:
        """Run one of the other commands on the same environment, which has to succeed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "forwarder",
            *words,
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", **self.environment, **more},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()

    def has_died_by_itself(self) -> bool:
        """Whether it has ended although nobody has ended it."""
        return self._process is not None and self._process.returncode is not None

    async def hang_up(self) -> int:
        """SIGTERM if it runs, and the exit status."""
        return await self._end(signal.SIGTERM) if self.is_running else 0
