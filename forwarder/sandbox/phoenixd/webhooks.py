"""The node's webhook: each payment is told at most once, one after the other."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass
from typing import Final

import aiohttp

from forwarder.sandbox.phoenixd.faults import NodeFault, NodeFaults

SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A body that was sent, and what was answered; None if nothing was."""

    body: bytes
    signature: str
    status: int | None


class Webhooks:
    """Sends what has happened to one receiver. What it cannot send is forgotten."""

    def __init__(self, secret: str, faults: NodeFaults) -> None:
        self._secret = secret
        self._faults = faults
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self.url: str | None = None
        self.deliveries: list[Delivery] = []

    def sign(self, body: bytes) -> str:
        """The header of a body: the key is the text of the secret."""
        return hmac.digest(self._secret.encode(), body, "sha256").hex()

    def tell(self, body: str) -> None:
        """Have something sent, if anybody wants to hear it."""
        if self.url is not None:
            self._waiting.put_nowait(body.encode())

    async def run(self) -> None:
        """Send until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(SECONDS)) as session:
            while True:
                body = await self._waiting.get()
                fault = self._faults.take("webhook")
                for _ in range(_copies(fault)):
                    await asyncio.sleep(0 if fault is None else fault.seconds)
                    await self.deliver(session, body)

    async def deliver(self, session: aiohttp.ClientSession, body: bytes) -> int | None:
        """Send a body as it is, now; returns the status of the answer."""
        status: int | None = None
        signature = self.sign(body)
        headers = {"Content-Type": "application/json", "X-Phoenix-Signature": signature}
        try:
            async with session.post(str(self.url), data=body, headers=headers) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            pass  # phoenixd writes a line to its log, and that was it
        self.deliveries.append(Delivery(body, signature, status))
        return status


def _copies(fault: NodeFault | None) -> int:
    if fault is None or fault.kind == "delay":
        return 1
    return fault.copies if fault.kind == "duplicate" else 0
