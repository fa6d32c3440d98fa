"""The real `forwarder run`, as a process of its own, and a till that talks to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.fork import Fork

START_SECONDS = 20.0
STOP_SECONDS = 40.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Forwarder:
    """A service that can be started, stopped, killed, and started again on the same database."""

    environment: dict[str, str]
    folder: Path
    port: int = field(default_factory=free_port)
    output: bytearray = field(default_factory=bytearray)
    _process: asyncio.subprocess.Process | Fork | None = None
    _reader: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, **more: str) -> None:
        """Start it and wait until it is ready."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = {**inherited, "PORT": str(self.port), **self.environment, **more}
        self._process = await Fork.start("run", cwd=self.folder, env=environment)
        self._reader = asyncio.create_task(self._read(self._process))
        await self._until_ready()

    async def execute(self, *words: str, **more: str) -> tuple[int, str]:
        """Run a command in its environment: the exit status, and all that it says."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = {**inherited, **self.environment, "LOG_LEVEL": "error", **more}
        process = await Fork.start(*words, cwd=self.folder, env=environment)
        output = await asyncio.wait_for(process.stdout.read(), STOP_SECONDS)
        return await process.wait(), output.decode()

    async def stop(self) -> int:
        """SIGTERM, and the exit status."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL: no last word."""
        await self._end(signal.SIGKILL)

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    def send(self, number: signal.Signals) -> None:
        """Send a signal and do not wait."""
        assert self._process is not None
        self._process.send_signal(number)

    async def wait(self) -> int:
        """Wait for its end."""
        assert self._process is not None
        assert self._reader is not None
        status = await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        await self._reader
        self._process = None
        return status

    async def _end(self, number: signal.Signals) -> int:
        self.send(number)
        return await self.wait()

    async def _read(self, process: asyncio.subprocess.Process | Fork) -> None:
        assert process.stdout is not None
        while chunk := await process.stdout.read(65_536):
            self.output += chunk

    async def _until_ready(self) -> None:
        assert self._process is not None
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        async with aiohttp.ClientSession() as session:
            while not await _is_ready(session, self.url):
                assert self._process.returncode is None, self.output.decode()
                assert asyncio.get_running_loop().time() < deadline, self.output.decode()
                await asyncio.sleep(0.02)


def printed(output: str) -> dict[str, Any]:
    """The document that a command has printed after what it has logged."""
    document: dict[str, Any] = json.loads(output.splitlines()[-1])
    return document


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False


class Page:
    """A page that has identified an invoice; `events` are what it was told, in order."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.events: list[dict[str, Any]] = []

    async def until(self, kind: str, seconds: float = 15.0) -> dict[str, Any]:
        """Read on until an event of this kind, and return it."""
        async with asyncio.timeout(seconds):
            while True:
                event = json.loads(await self._socket.receive_str())
                self.events.append(event)
                if event["type"] == kind:
                    return dict(event)

    async def send(self, message: object) -> None:
        """Say something to the server."""
        await self._socket.send_json(message)


class Till:
    """A POS page's calls."""

    def __init__(self, session: aiohttp.ClientSession, token: str) -> None:
        self._session = session
        self._token = token

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """A call with the POS token or another: status and JSON."""
        data = None if body is None else json.dumps(body)
        shown = {"Authorization": f"Bearer {token or self._token}", **(headers or {})}
        async with self._session.request(method, path, data=data, headers=shown) as answer:
            return answer.status, await answer.json()

    async def sell(self, sats: int = 1_000, **more: object) -> dict[str, Any]:
        """Make an invoice."""
        status, sale = await self.call("POST", "/api/invoice", {"amountSat": sats, **more})
        assert status == 200, sale
        return sale

    async def snapshot(self, sale: dict[str, Any]) -> dict[str, Any]:
        """How a sale stands."""
        status, found = await self.call("GET", f"/api/invoice/{sale['externalId']}")
        assert status == 200, found
        return found

    async def until(self, sale: dict[str, Any], state: str, seconds: float = 20.0) -> None:
        """Wait until a sale has reached a state."""
        async with asyncio.timeout(seconds):
            while (await self.snapshot(sale))["status"] != state:
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def page(self, sale: dict[str, Any]) -> AsyncIterator[Page]:
        """A page that waits for a sale."""
        async with self._session.ws_connect("/ws") as socket:
            page = Page(socket)
            await page.until("connected")
            wanted = {"externalId": sale["externalId"], "token": sale["token"]}
            await page.send({"type": "identify", **wanted})
            await page.until("identified")
            yield page
