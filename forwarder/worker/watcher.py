"""Watches Blink while, and only while, an invoice is waiting to be paid."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

import structlog

from forwarder.blink.errors import BlinkError, Disconnected
from forwarder.failpoints import failpoint
from forwarder.model.source import Source
from forwarder.store import invoices
from forwarder.worker import pulse
from forwarder.worker.backoff import Backoff
from forwarder.worker.bell import Bell
from forwarder.worker.catch_up import CatchUp
from forwarder.worker.clock import monotonic
from forwarder.worker.common import Common
from forwarder.worker.handshakes import Handshakes
from forwarder.worker.subscription import Subscription
from forwarder.worker.turn import RENEWAL_SECONDS, Turn

log = structlog.get_logger(__name__)

# An event can be lost while the subscription looks healthy, so now and then Blink is asked.
LOOK_SECONDS: Final = 20.0
# Without a subscription, or while asking fails, it is asked more often.
BLIND_LOOK_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 15.0
# What another process keeps in a shared database rings no bell here.
POLL_SECONDS: Final = 1.0

Open = Callable[[Bell], AbstractAsyncContextManager[Subscription]]


class State(StrEnum):
    """Whether Blink is being watched."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Watch:
    """The watch on Blink: its state since when, how often it was opened, and the last event."""

    state: State
    since: datetime
    opens: int = 0
    last_event_at: datetime | None = None


class Watcher:
    """Holds one subscription while anything is pending."""

    def __init__(
        self, common: Common, open_subscription: Open, catch_up: CatchUp, linger_seconds: float
    ) -> None:
        self._open_subscription = open_subscription
        self._linger_seconds = linger_seconds
        self._database = common.database
        self._catch_up = catch_up
        self._handshakes = Handshakes(common)
        self._turn = Turn(common)
        self._notifier = common.notifier
        self._clock = common.clock
        self._metrics = common.metrics
        self._bell = common.bells.watcher
        self._expected = 0
        self._look_at = 0.0
        self._linger = 0.0
        self._idle_since: float | None = None
        self._watch = Watch(State.CLOSED, common.clock())
        self._subscription: Subscription | None = None

    @property
    def watch(self) -> Watch:
        """How the watch stands now."""
        last = None if self._subscription is None else self._subscription.last_event_at
        return replace(self._watch, last_event_at=last or self._watch.last_event_at)

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Have the subscription opened beside the making of an invoice."""
        was_open = self._watch.state is State.OPEN
        self._expected += 1
        self._bell.ring()
        try:
            yield
        finally:
            self._expected -= 1
            if not was_open:
                self._look_at = 0.0  # it may have been paid before there was a subscription
            self._bell.ring()

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                if await self._is_needed() and await self._turn.take():
                    try:
                        await self._until_not_needed()
                    finally:
                        await self._turn.give_back()
                else:
                    await self._bell.wait(None if self._database.is_embedded else POLL_SECONDS)
        finally:
            self._watch = replace(self._watch, state=State.CLOSED, since=self._clock())

    async def _is_needed(self) -> bool:
        if self._expected:
            return True
        async with self._database.reading() as tx:
            return (await invoices.pending(tx, Source.BLINK)).count > 0

    async def _until_not_needed(self) -> None:
        await self._become(State.CONNECTING)
        backoff = Backoff(LONGEST_PAUSE_SECONDS)
        self._look_at = max(self._look_at, monotonic() + BLIND_LOOK_SECONDS)
        while await self._is_needed() and await self._turn.take():
            begun = monotonic()
            try:
                if await self._may_shake_hands():
                    await failpoint("watcher.subscribing")
                    await self._hold()
                    await failpoint("watcher.closed")
                break
            except Disconnected as exc:
                self._metrics.disconnections.inc()
                log.warning("the subscription failed", reason=str(exc))
                self._look_at = min(self._look_at, monotonic() + BLIND_LOOK_SECONDS)
            pause = backoff.pause_seconds(monotonic() - begun)
            await self._become(State.CONNECTING)
            await self._wait_blind(pause)
        await self._become(State.CLOSED)

    async def _hold(self) -> None:
        """Hold one subscription for as long as it is needed. Raises `Disconnected`."""
        async with self._open_subscription(self._bell) as subscription:
            await failpoint("watcher.subscribed")
            subscription.check()
            self._subscription, self._idle_since = subscription, None
            try:
                await self._become(State.OPEN)
                await self._attend(subscription)
            finally:
                self._watch = self.watch  # keeps the time of its last event
                self._subscription = None

    async def _attend(self, subscription: Subscription) -> None:
        while (rest := await self._rest_seconds()) > 0:
            # Blink is asked only now: between asking and listening nothing could be heard.
            if subscription.take_missed() or self._look_at <= monotonic():
                await self._look(LOOK_SECONDS)
            await self._bell.wait(min(rest, self._look_at - monotonic(), RENEWAL_SECONDS))
            subscription.check()
            if not await self._turn.take():
                return

    async def _rest_seconds(self) -> float:
        """How long the subscription is still to be open, if nothing happens."""
        if await self._is_needed():
            self._idle_since = None
            return math.inf
        if self._idle_since is None:
            await failpoint("watcher.idle")
            self._idle_since = monotonic()
            self._linger = max(self._linger_seconds, await self._handshakes.linger_seconds())
        return self._idle_since + self._linger - monotonic()

    async def _may_shake_hands(self) -> bool:
        """Wait for the budget; false if nothing is pending any more when there is some."""
        while (seconds := await self._handshakes.take()) > 0:
            log.warning("the budget of handshakes is used up", seconds=round(seconds, 1))
            await self._wait_blind(seconds)
            if not await self._is_needed():
                return False
        return True

    async def _wait_blind(self, seconds: float) -> None:
        """Wait without a subscription: Blink is asked meanwhile for what nobody tells us."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0 and await self._is_needed():
            if self._look_at <= monotonic():
                await self._look(BLIND_LOOK_SECONDS)
            await pulse.rest(max(0, min(left, self._look_at - monotonic())))

    async def _look(self, again_seconds: float) -> None:
        try:
            await self._catch_up.run()
        except BlinkError as exc:
            log.warning("Blink could not be asked what was missed", reason=str(exc))
            again_seconds = BLIND_LOOK_SECONDS
        self._look_at = monotonic() + again_seconds

    async def _become(self, state: State) -> None:
        if state is self._watch.state:
            return
        opens = self._watch.opens + (state is State.OPEN)
        self._metrics.opens.inc(state is State.OPEN)
        self._watch = replace(self._watch, state=state, since=self._clock(), opens=opens)
        log.info("the subscription has changed", state=state.value)
        await self._notifier.tell_watch(state, self._watch.since)
