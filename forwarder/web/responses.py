"""How every call is answered: in JSON, and with the headers that all answers carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from forwarder.web import proxies

Body = Mapping[str, object]

# aiohttp would tell its own and Python's version.
_ALWAYS: Final = {"Server": "blink-pos-forwarder", "X-Content-Type-Options": "nosniff"}

# For an answer that does not say better. It is about money or a secret, so it is not kept on the
# way; and it is no page, so a browser that shows it all the same is to load nothing for it.
_UNLESS_SAID: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

_BY_TLS_ALONE: Final = f"max-age={365 * 86_400}"


def answer(body: Body, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer in JSON."""
    return web.json_response(body, status=status, headers=headers)


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on an answer that all of them carry."""
    protect(response)
    if proxies.is_secure(request):
        response.headers["Strict-Transport-Security"] = _BY_TLS_ALONE


def protect(response: web.StreamResponse) -> None:
    """Put those headers on an answer that need not know the call."""
    response.headers.update(_ALWAYS)
    for name, value in _UNLESS_SAID.items():
        response.headers.setdefault(name, value)
