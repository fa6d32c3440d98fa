"""Commands that serve until they are stopped."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from forwarder import logs
from forwarder.cli.common import WRONG, explained
from forwarder.settings import Settings
from forwarder.web.server import Server, allow_many_connections, tls_context
from forwarder.worker.service import Service

if TYPE_CHECKING:
    from forwarder.sandbox import Sandbox
    from forwarder.sandbox.phoenixd import Phoenixd

log = structlog.get_logger(__name__)


def run() -> None:
    """Serve until SIGTERM or SIGINT, then let what is under way end."""
    with explained():
        settings = Settings.read()
        logs.configure(settings.log_level, settings.log_format)
        allow_many_connections()
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = _stop_signal()
    async with (
        Service.open(settings) as service,
        Server.serve(service, settings.host, settings.port, tls_context(settings)) as server,
    ):
        log.info("serving", url=server.url)
        await stop.wait()
        log.info("stopping")


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Exit after the sale: 0 if the money arrived.")
    ] = False,
) -> None:
    """Make a sale on a local Blink, pay it, show each step, and serve until stopped."""
    from forwarder import demo as story  # a till needs no local Blink, and no time to load one

    with explained():
        settings = Settings.read()
        logs.configure("warning", settings.log_format)
        arrived = asyncio.run(_until_stopped(story.run(settings, once=once), stopped=not once))
    raise typer.Exit(0 if arrived else WRONG)


async def _until_stopped(work: Coroutine[None, None, bool], *, stopped: bool) -> bool:
    """Run something until its end, or until a signal comes: then the result is `stopped`."""
    stop = _stop_signal()
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return stopped


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port to serve on.")] = 4010,
    sats: Annotated[int, typer.Option(min=0, help="What BlinkPOS and the node own.")] = 100_000,
    service: Annotated[
        str, typer.Option(help="Where the service is, which the webhooks tell.")
    ] = "http://127.0.0.1:4000",
) -> None:
    """Serve a local Blink with a BlinkPOS account and one merchant, and a phoenixd node."""
    with explained():
        logs.configure("info", None)
        asyncio.run(_serve_sandbox(port, sats, service))


async def _serve_sandbox(port: int, sats: int, service: str) -> None:
    from forwarder.sandbox import Sandbox
    from forwarder.sandbox.phoenixd import Phoenixd

    stop = _stop_signal()
    async with Sandbox.serve(port=port) as blink, Phoenixd.serve(blink, sats=sats) as node:
        for name, value in _open_trade(blink, node, sats, service).items():
            typer.echo(f"{name}={value}")
        for who, control in (("Blink", blink.control_url), ("the node", node.control_url)):
            typer.echo(f'# pay at {who}: POST {control}/pay {{"paymentRequest": ...}}')
        sys.stdout.flush()
        await stop.wait()


def _open_trade(blink: Sandbox, node: Phoenixd, sats: int, service: str) -> dict[str, str]:
    """A BlinkPOS, a merchant, and both webhooks: the environment of a service that has them."""
    pos, merchant = blink.open_account("blinkpos", sats=sats), blink.open_account("merchant")
    endpoint = blink.call_back(pos, f"{service}/api/webhook/blink")
    node.webhooks.url = f"{service}/api/webhook"
    return {
        "BLINK_API_URL": blink.api_url,
        "BLINK_WS_URL": blink.ws_url,
        "BLINKPOS_API_KEY": blink.create_key(pos),
        "MERCHANT_API_KEY": blink.create_key(merchant),
        "POS_TOKEN": secrets.token_urlsafe(12),
        "BLINK_WEBHOOK_SECRET": endpoint.secrets[0],
        "PHOENIXD_HOST": node.url,
        "PHOENIXD_TOKEN": node.password,
        "PHOENIXD_WEBHOOK_SECRET": node.webhook_secret,
    }


def _stop_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set: stopping is not a cancellation."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
