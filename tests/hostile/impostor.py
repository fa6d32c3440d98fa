"""Who speaks for Blink: a server that may say anything, with the real sandbox behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from forwarder.sandbox import Sandbox
from forwarder.sandbox.api import read_request
from forwarder.sandbox.documents import read as read_document

CHUNK: Final = b"[" + b" " * 65_535


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it came: the first root field of its document, and its variables."""

    operation: str
    variables: Mapping[str, Any]

    @property
    def input(self) -> Mapping[str, Any]:
        """A mutation's input."""
        found: Mapping[str, Any] = self.variables.get("input", {})
        return found


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, whatever it is worth. An endless one goes on until the client has enough."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    endless: bool = False


def said(value: object, **more: Any) -> Said:  # noqa: ANN401 - passed on as it is
    """JSON, as an answer."""
    return Said(json.dumps(value).encode(), **more)


# What is said instead of an honest answer; None leaves it as it was.
Liar = Callable[[Asked, bytes], Said | None]


class Impostor:
    """Answers like the sandbox, as far as the liar leaves it so."""

    def __init__(self, sandbox: Sandbox | None = None) -> None:
        self._sandbox = sandbox
        self.liar: Liar = lambda _asked, _honest: None
        self.asked: list[Asked] = []
        self.headers: list[Mapping[str, str]] = []
        self.taken = 0  # bytes of endless answers that the client has let itself be sent

    async def graphql(self, request: web.Request) -> web.StreamResponse:
        """`POST /graphql`."""
        self.headers.append(dict(request.headers))
        body = await request.read()
        asked, honest = await self._ask(body, request.headers.get("X-API-KEY"))
        self.asked.append(asked)
        answer = self.liar(asked, honest) or Said(honest)
        await asyncio.sleep(answer.seconds)
        return await self._say(request, answer)

    async def _ask(self, body: bytes, api_key: str | None) -> tuple[Asked, bytes]:
        request = read_request(body, api_key, None)
        if request is None:
            return Asked("", {}), b""
        asked = Asked(read_document(request.query, None).roots[0], request.variables or {})
        if self._sandbox is None:
            return asked, b"{}"
        answer = await self._sandbox.api.answer(request)
        return asked, answer.body

    async def _say(self, request: web.Request, answer: Said) -> web.StreamResponse:
        if not answer.endless:
            return web.Response(body=answer.body, status=answer.status, headers=answer.headers)
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        await response.prepare(request)
        while True:
            await response.write(CHUNK)
            self.taken += len(CHUNK)
            await asyncio.sleep(0)


@asynccontextmanager
async def serving(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Serve one handler for every path on a free port; the origin, without a scheme."""
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
