"""`forwarder sandbox` prints an environment in which a service sells at Blink and at a node."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.process import Forwarder, Till, free_port


@asynccontextmanager
async def sandbox(service: str) -> AsyncIterator[list[str]]:
    """The lines that it says when it is there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", "sandbox"),
        *("--port", str(free_port()), "--service", service),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield [(await process.stdout.readline()).decode().strip() for _ in range(11)]
    finally:
        process.terminate()
        await process.wait()
    assert process.returncode == 0


@pytest.mark.timeout(180)
async def test_what_the_sandbox_prints_is_all_that_a_service_needs(tmp_path: Path) -> None:
    forwarder = Forwarder({"FORWARDER_SECRET_KEY": "s" * 32}, tmp_path)
    async with sandbox(forwarder.url) as lines, aiohttp.ClientSession(forwarder.url) as session:
        forwarder.environment |= dict(line.split("=", 1) for line in lines[:-2])
        await forwarder.start()
        till = Till(session, forwarder.environment["POS_TOKEN"])
        for source, line in zip(("blink", "phoenixd"), lines[-2:], strict=True):
            sale = await till.sell(source=source)
            await customer(session, line.split()[-3], sale["invoice"])
            await till.until(sale, "forwarded", seconds=45)
        assert await forwarder.stop() == 0


async def customer(session: aiohttp.ClientSession, url: str, invoice: str) -> None:
    """Pays, and an invoice that is none is refused."""
    async with session.post(url, json={"paymentRequest": invoice}) as answer:
        assert answer.status == 200
    async with session.post(url, json={"paymentRequest": "lnbcrt1none"}) as answer:
        assert answer.status == 400
