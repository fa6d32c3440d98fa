"""The service's own website: the POS page, the operator page, and the scripts that others may use.

What is in `www/` is all of it, each file at the address of its path: read once, never changed, and
nothing else can be asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

PATHS: Final = (
    "/",
    "/operator",
    "/pos/{name}",
    "/operator/{name}",
    "/shared/{name}",
    "/payment-socket.js",
    "/use-payment-websocket.js",
)
FOLDER: Final = Path(__file__).with_name("www")

# Browsers take `connect-src 'self'` to mean our websocket as well.
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

_PAGES: Final = {"": "pos.html", "operator": "operator.html"}
_HEADERS: Final = {
    "Cache-Control": "no-cache",  # kept, but asked for again: a new release is seen at once
    "Content-Security-Policy": POLICY,
}
_KINDS: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is served."""

    content: bytes
    kind: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> File:
        """A file from the disk."""
        content = path.read_bytes()
        return cls(content, _KINDS[path.suffix], hashlib.sha256(content).hexdigest()[:32])


def _read_all(folder: Path) -> Mapping[str, File]:
    paths = (path for path in folder.rglob("*.*") if path.is_file())
    return {path.relative_to(folder).as_posix(): File.read(path) for path in paths}


FILES: Final = _read_all(FOLDER)


async def show(request: web.Request) -> web.Response:
    """`GET /`, `/operator`, and everything that the pages are made of."""
    path = request.path.removeprefix("/")
    file = FILES.get(_PAGES.get(path, path))
    if file is None:
        raise web.HTTPNotFound
    return respond(request, file)


def respond(request: web.Request, file: File) -> web.Response:
    """A file, or that the browser has it already."""
    known = request.if_none_match or ()
    if any(tag.value in (file.etag, "*") for tag in known):
        response = web.Response(status=304, headers=_HEADERS)
    else:
        response = web.Response(
            body=file.content, content_type=file.kind, charset="utf-8", headers=_HEADERS
        )
    response.etag = file.etag
    return response
