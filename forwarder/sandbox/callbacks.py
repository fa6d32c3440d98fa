"""Blink's webhooks, which it calls callbacks: signed by Svix, and sent until they are taken.

Unlike the stream they tell of sends too (here: of those that settle at once), and a receiver that
was away is told later. What is lost before Svix has it is lost for good.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import aiohttp

from forwarder.sandbox import callback_views
from forwarder.sandbox.accounts import Account
from forwarder.sandbox.entropy import Entropy
from forwarder.sandbox.faults import Fault, Faults
from forwarder.sandbox.timing import Timing
from forwarder.sandbox.transactions import TransactionView

ANSWER_SECONDS: Final = 15.0


@dataclass(slots=True)
class Endpoint:
    """Where an account is told. While a secret is replaced there are two, and both sign."""

    url: str
    secrets: list[str]


@dataclass(frozen=True, slots=True)
class Message:
    """What is told, under an id that stays the same however often it is sent."""

    id: str
    event_type: str
    body: bytes

    def headers(self, endpoint: Endpoint, now: datetime) -> dict[str, str]:
        stamp = str(int(now.timestamp()))
        signed = f"{self.id}.{stamp}.".encode() + self.body
        return {
            "Content-Type": "application/json",
            "svix-id": self.id,
            "svix-timestamp": stamp,
            "svix-signature": " ".join(signature(signed, one) for one in endpoint.secrets),
        }


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was sent once, and what was answered; None if nothing was."""

    message: Message
    status: int | None


@dataclass(slots=True)
class Callbacks:
    """Tells the endpoints of accounts what was booked in them."""

    clock: Callable[[], datetime]
    entropy: Entropy
    timing: Timing
    faults: Faults
    deliveries: list[Delivery] = field(default_factory=list)
    _endpoints: dict[str, list[Endpoint]] = field(default_factory=lambda: defaultdict(list))
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    def register(self, account: Account, url: str, secret: str | None = None) -> Endpoint:
        """Have an account told of, from now on, at one more address."""
        endpoint = Endpoint(url, [secret or self.new_secret()])
        self._endpoints[account.id].append(endpoint)
        return endpoint

    def new_secret(self) -> str:
        return f"whsec_{base64.b64encode(self.entropy.secret()).decode()}"

    def publish(self, account: Account, tx: TransactionView) -> None:
        """Tell of a transaction."""
        for endpoint in self._endpoints[account.id] if account.level != "ZERO" else ():
            told = callback_views.event(account, tx)
            body = json.dumps(told, separators=(",", ":")).encode()
            message = Message(f"msg_{self.entropy.token(27)}", str(told["eventType"]), body)
            fault = self.faults.take("callback", "callback", account.id)
            task = asyncio.create_task(self._send(endpoint, message, fault))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def stop(self) -> None:
        """Send nothing any more."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _send(self, endpoint: Endpoint, message: Message, fault: Fault | None) -> None:
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.wait(0.1))
        for _ in range(copies_of(fault)):
            await self._until_taken(endpoint, message)

    async def _until_taken(self, endpoint: Endpoint, message: Message) -> None:
        for pause in (0.0, *self.timing.callback_pauses):
            await asyncio.sleep(pause)
            status = await self._post(endpoint, message)
            self.deliveries.append(Delivery(message, status))
            if status is not None and 200 <= status < 300:
                return

    async def _post(self, endpoint: Endpoint, message: Message) -> int | None:
        headers = message.headers(endpoint, self.clock())
        timeout = aiohttp.ClientTimeout(ANSWER_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(endpoint.url, data=message.body, headers=headers) as answer,
            ):
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None


def copies_of(fault: Fault | None) -> int:
    if fault is None or fault.kind == "delay":
        return 1
    return fault.copies if fault.kind == "duplicate" else 0


def signature(signed: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
