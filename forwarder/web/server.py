"""Starts and stops serving."""

from __future__ import annotations

import asyncio
import resource
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web
from yarl import URL

from forwarder.settings import Settings
from forwarder.web.app import make_app
from forwarder.web.connections import MAX_CONNECTIONS, MAX_OF_PEER, Connection
from forwarder.web.crowd import Crowd

if TYPE_CHECKING:
    from forwarder.worker.service import Service

# How long a call may take to end once the service is to stop. aiohttp can wait twice that long.
DRAIN_SECONDS: Final = 5.0

MAX_FILES: Final = MAX_CONNECTIONS + 1_024  # and what else a process has open


class Server:
    """A server that takes calls at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    @classmethod
    @asynccontextmanager
    async def serve(
        cls,
        service: Service,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        extras: Iterable[web.RouteDef] = (),
    ) -> AsyncIterator[Server]:
        """Serve until left; then websockets are closed at once, and calls under way are ended.

        Port 0 takes a free one. `extras` are routes that go before our own.
        Raises `OSError` if the address cannot be had.
        """
        runner = web.AppRunner(make_app(service, extras), shutdown_timeout=DRAIN_SECONDS)
        await runner.setup()
        try:
            if runner.server is None:
                raise AssertionError("a runner that was set up has a server")
            trusted = service.settings.trusted_proxies
            make = partial(Connection, runner.server, Crowd(MAX_CONNECTIONS, MAX_OF_PEER), trusted)
            async with _listening(make, host, port, tls) as bound_port:
                scheme = "http" if tls is None else "https"
                yield cls(str(URL.build(scheme=scheme, host=host, port=bound_port)))
        finally:
            await runner.cleanup()


@asynccontextmanager
async def _listening(
    make: Callable[..., Connection], host: str, port: int, tls: ssl.SSLContext | None
) -> AsyncIterator[int]:
    """Take connections; aiohttp's own sites cannot be told what a connection is."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(partial(make, loop=loop), host, port, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


def allow_many_connections() -> None:
    """Let this process open as many files as it needs, if it may: each connection is one."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if most == resource.RLIM_INFINITY else min(most, MAX_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, wanted), most))


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What it takes to serve https and wss; None without a certificate.

    Raises `OSError` if the certificate and its key cannot be used.
    """
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    return context
