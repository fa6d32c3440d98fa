"""One live connection to Blink's updates, whose receipts go through the intake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, assert_never

import structlog
from pydantic import SecretStr

from forwarder.blink.updates import Gap, Settled, SignOfLife, Update, Updates
from forwarder.failpoints import failpoint
from forwarder.model.payment import Witness
from forwarder.model.source import Source
from forwarder.worker import pulse
from forwarder.worker.bell import Bell
from forwarder.worker.common import Common
from forwarder.worker.intake import Intake

log = structlog.get_logger(__name__)

# Nothing says that a subscription is live, but Blink sends a price 10 ms after subscribing, unless
# its price service is down.
FIRST_EVENT_SECONDS: Final = 3.0


class Subscription:
    """Listens beside whoever holds it; `bell` rings when something was missed, and at its end."""

    def __init__(self, common: Common, updates: Updates, intake: Intake, bell: Bell) -> None:
        self._updates = updates
        self._intake = intake
        self._bell = bell
        self._clock = common.clock
        self._events = common.metrics.events
        self._heard = asyncio.Event()
        self._taking = asyncio.Lock()
        self._missed = True  # what came before it was live
        self.last_event_at: datetime | None = None
        # gql subscribes only when the first event is waited for, so this begins at once.
        self._listening = asyncio.create_task(self._listen(), name="updates")
        self._listening.add_done_callback(lambda _: self._end())

    @classmethod
    @asynccontextmanager
    async def open(
        cls, common: Common, url: str, api_key: SecretStr, intake: Intake, bell: Bell
    ) -> AsyncIterator[Subscription]:
        """Subscribe, and wait until that is live, as far as one can know. Raises `Disconnected`."""
        async with Updates.connect(url, api_key) as updates:
            subscription = cls(common, updates, intake, bell)
            try:
                await subscription._until_heard()
                yield subscription
            finally:
                await subscription._stop_listening()

    def check(self) -> None:
        """Raise what has ended the subscription, if anything has: mostly `Disconnected`."""
        if self._listening.done():
            self._listening.result()

    def take_missed(self) -> bool:
        """Whether something may have been missed since this was taken last."""
        missed, self._missed = self._missed, False
        return missed

    async def _until_heard(self) -> None:
        try:
            async with asyncio.timeout(FIRST_EVENT_SECONDS):
                with pulse.resting():
                    await self._heard.wait()
        except TimeoutError:
            log.warning("Blink sent no price after subscribing; going on without")

    async def _listen(self) -> None:
        async for update in self._updates:
            self.last_event_at = self._clock()
            self._heard.set()
            async with self._taking:
                await self._take(update)

    async def _stop_listening(self) -> None:
        """Not in the middle of a receipt: its page is being told."""
        async with self._taking:
            self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _take(self, update: Update) -> None:
        match update:
            case Settled(entry):
                self._events.labels("payment").inc()
                receipt = entry.receipt()
                if receipt is not None:
                    await failpoint("subscription.heard")
                    await self._intake.take([receipt], Source.BLINK, Witness.SUBSCRIPTION)
            case Gap(reason):
                self._events.labels("gap").inc()
                log.warning("an event was not understood", reason=reason)
                self._missed = True
                self._bell.ring()
            case SignOfLife():
                self._events.labels("sign_of_life").inc()
            case _:
                assert_never(update)

    def _end(self) -> None:
        self._heard.set()
        self._bell.ring()
