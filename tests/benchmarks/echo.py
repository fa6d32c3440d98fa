"""The floor of a page: a websocket server that does nothing but echo. `python -m … PORT`."""

from __future__ import annotations

import sys

from aiohttp import web


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for frame in socket:
        await socket.send_str(frame.data)
    return socket


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/ws", _echo)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
