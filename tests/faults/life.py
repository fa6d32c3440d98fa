"""One life of the service: from its start to its end, in order or by a crash.

All that a life does carries its mark in the context: its tasks, its database connections and its
sockets. When it dies they end at once, in the middle of whatever they do.
"""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar
from typing import Any, Protocol, TypeVar

from forwarder.model.source import Source
from forwarder.settings import Settings
from forwarder.worker.clock import Clock
from forwarder.worker.service import Service

T = TypeVar("T")

BURIAL_SECONDS = 60.0  # longer than anything that is tidied up after an end


class Crash(BaseException):
    """Stands for the death of the process: nothing in the package catches it."""


class Gone(Exception):
    """The service has died, or is not there."""


class Peer(Protocol):
    """The far end of a connection, which notices that its client is gone."""

    def drop(self) -> None: ...


class Life:
    """A running service, with all that ends when it dies."""

    current: ContextVar[Life | None] = ContextVar("life", default=None)

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._stopping = asyncio.Event()
        self._service: Service | None = None
        self._context = contextvars.copy_context()
        self._context.run(self.current.set, self)
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.connections: list[sqlite3.Connection] = []
        self.peers: list[Peer] = []
        self.is_dead = False
        self.began = asyncio.Event()
        self.sending: Counter[Source] = Counter()
        self.main = self._spawn(self._live())

    @property
    def is_serving(self) -> bool:
        """Whether a till finds it."""
        return self._service is not None and not self.is_dead

    async def ask(self, question: Callable[[Service], Awaitable[T]]) -> T:
        """Have something done inside the service. Raises `Gone` if it dies meanwhile."""
        service = self._service
        if service is None or self.is_dead:
            raise Gone

        async def answer() -> T:
            return await question(service)

        task = self._spawn(answer())
        await asyncio.wait([task])
        if self.is_dead or task.cancelled() or isinstance(task.exception(), Crash):
            raise Gone
        return task.result()

    def stop(self) -> None:
        """SIGTERM."""
        self._stopping.set()

    def die(self) -> None:
        """SIGKILL: nothing of it goes on, and what it had not committed is undone."""
        self.is_dead = True
        for connection in self.connections:
            with suppress(sqlite3.Error):
                connection.rollback()  # SQLite keeps what is closed while a statement is left
                connection.close()
        for peer in self.peers:
            peer.drop()
        self._cancel()

    async def crash(self) -> None:
        """Die here and now: an action for a failpoint."""
        self.die()
        raise Crash

    async def ended(self) -> None:
        """Return when nothing is left of it."""
        await asyncio.wait([self.main])
        self._service = None
        if not self.is_dead:
            self.die()
        deadline = asyncio.get_running_loop().time() + BURIAL_SECONDS
        while left := [task for task in self.tasks if not task.done()]:
            await asyncio.wait(left, timeout=1)
            self._cancel()
            assert asyncio.get_running_loop().time() < deadline, left

    def _cancel(self) -> None:
        here = asyncio.current_task()
        for task in [task for task in self.tasks if task is not here and not task.done()]:
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return asyncio.get_running_loop().create_task(work, context=self._context.copy())

    async def _live(self) -> None:
        async with Service.open(self._settings, self._clock) as service:
            self._service = service
            self.began.set()
            await self._stopping.wait()
            self._service = None


def enlist(loop: asyncio.AbstractEventLoop) -> None:
    """Have every task of a life known to it."""

    def make(
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, T],
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task = asyncio.Task(work, loop=loop, context=context)
        life = (context or contextvars.copy_context()).get(Life.current)
        if life is not None:
            life.tasks[task] = None
            task.add_done_callback(lambda done: life.tasks.pop(done, None))
            if life.is_dead:
                task.cancel()
        return task

    loop.set_task_factory(make)  # type: ignore[arg-type]
