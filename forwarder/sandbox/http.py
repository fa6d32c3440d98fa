"""POST /graphql: from aiohttp's request to the answer on the wire, however that one arrives."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import web

from forwarder.sandbox import answers, wires
from forwarder.sandbox.answers import Answer
from forwarder.sandbox.api import Api, read_request
from forwarder.sandbox.idempotency import HEADER as IDEMPOTENCY_HEADER
from forwarder.sandbox.timing import Timing

API_KEY_HEADER = "X-API-KEY"


@dataclass(slots=True)
class HttpSide:
    api: Api
    timing: Timing
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, request: web.Request) -> web.StreamResponse:
        operation = read_request(
            await request.read(),
            request.headers.get(API_KEY_HEADER),
            request.headers.get(IDEMPOTENCY_HEADER),
        )
        if operation is None:
            problem = {"errors": [{"message": "Invalid GraphQL request"}]}
            return respond(answers.of_json(problem, 400))
        return await self._deliver(request, await self.api.answer(operation))

    async def _deliver(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        match answer.delivery:
            case "whole":
                return respond(answer)
            case "half":
                return await send_half(request, answer)
            case "never":
                # Only the end of the sandbox frees those who wait longer than this.
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.closing.wait(), self.timing.hang)
        wires.reset(request)
        return web.Response()  # goes nowhere: aiohttp wants something to be returned


def respond(answer: Answer) -> web.Response:
    return web.Response(
        body=answer.body, status=answer.status, content_type=answer.content_type, charset="utf-8"
    )


async def send_half(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Promise the whole body in the headers, and hang up in the middle of it."""
    response = web.StreamResponse(status=answer.status)
    response.content_type = answer.content_type
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    wires.hang_up(request)
    return response
