"""Takes up the forwards that are due, and works on several side by side."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Final

import structlog

from forwarder.failpoints import failpoint
from forwarder.model.forward import Forward
from forwarder.model.source import Source
from forwarder.store import claims
from forwarder.store.database import StoreError
from forwarder.store.moves import LostClaim
from forwarder.worker import pulse
from forwarder.worker.common import Common
from forwarder.worker.forwarding import Forwarding
from forwarder.worker.moves import Moves

log = structlog.get_logger(__name__)

AT_ONCE: Final = 16  # of each source: invoices are made side by side, and sends take turns
LEASE_RENEWAL_SECONDS: Final = 1.5  # three tries before a lease ends
SHORTEST_REST_SECONDS: Final = 0.02
DATABASE_PAUSE_SECONDS: Final = 2.0
RETRY_PAUSE: Final = timedelta(seconds=5)
LONGEST_REST_SECONDS: Final = 10.0
SHARED_REST_SECONDS: Final = 2.0  # another process may have died and left something to us


@dataclass(frozen=True, slots=True)
class Working:
    """A forward that is worked on."""

    source: Source
    task: asyncio.Task[None]


class Payout:
    """The worker that moves forwards on. Its leases let another one take over when it dies."""

    def __init__(self, common: Common, forwarding: Forwarding, moves: Moves) -> None:
        self._database = common.database
        is_alone = common.database.is_embedded
        self._longest_rest_seconds = LONGEST_REST_SECONDS if is_alone else SHARED_REST_SECONDS
        self._forwarding = forwarding
        self._moves = moves
        self._bell = common.bells.payout
        self._unread = common.unread
        self._working: dict[int, Working] = {}
        self._draining = False

    async def run(self) -> None:
        """Work until cancelled, beside `keep_leases`; what is under way stays as it is kept."""
        async with self._database.transaction() as tx:
            lease = self._moves.lease()
            await claims.drop_leases(tx, lease.now, lease.owner)
        async with asyncio.TaskGroup() as group:
            while True:
                # A database that fails for a while must not cancel the payments under way.
                try:
                    rest = await self._take_due(group)
                except StoreError as exc:
                    log.error("the database failed", reason=type(exc).__name__)
                    rest = DATABASE_PAUSE_SECONDS
                await self._bell.wait(rest)

    async def keep_leases(self) -> None:
        """Until cancelled, prolong our leases: a forward may wait longer than one for its turn."""
        while True:
            await pulse.rest(LEASE_RENEWAL_SECONDS)
            if not self._working:
                continue
            with suppress(StoreError):
                async with self._database.transaction() as tx:
                    await claims.keep_leases(tx, self._moves.lease(), list(self._working))

    async def drain(self, seconds: float) -> None:
        """Begin nothing new, let the calls that are under way end, and give the leases back."""
        self._draining = True
        self._forwarding.stop()
        if self._working:
            tasks = [working.task for working in self._working.values()]
            await asyncio.wait(tasks, timeout=seconds)
        lease = self._moves.lease()
        async with self._database.transaction() as tx:
            await claims.drop_leases(tx, lease.now, lease.owner)

    async def _take_due(self, group: asyncio.TaskGroup) -> float | None:
        """Begin what is due; says how long to wait for a ring then, if it is not to be for ever."""
        free = self._free()
        if self._draining or not free:
            return None
        others = set(Source) - set(free)
        if (seconds := await self._seconds_until_due(others)) > 0:
            return min(seconds, self._longest_rest_seconds)
        await failpoint("payout.due")
        async with self._database.transaction() as tx:
            lease, working = self._moves.lease(), list(self._working)
            claimed = await claims.claim(tx, lease, min(free.values()), working, others)
        await failpoint("payout.claimed")
        for forward in claimed:
            task = group.create_task(self._work(forward), name=f"forward {forward.id}")
            self._working[forward.id] = Working(forward.source, task)
        return SHORTEST_REST_SECONDS

    def _free(self) -> dict[Source, int]:
        """How many more may be taken up of each source: one that is slow delays no other."""
        busy = Counter(working.source for working in self._working.values())
        left = {source: AT_ONCE - busy[source] for source in Source if source not in self._unread}
        return {source: count for source, count in left.items() if count > 0}

    async def _seconds_until_due(self, others: Collection[Source]) -> float:
        lease = self._moves.lease()
        async with self._database.reading() as tx:
            due_at = await claims.next_due(tx, lease, others)
        return inf if due_at is None else (due_at - lease.now).total_seconds()

    async def _work(self, forward: Forward) -> None:
        """Take one forward as far as it goes now."""
        pulse.leave()
        with structlog.contextvars.bound_contextvars(
            payment_hash=forward.payment_hash,
            position=forward.position,
            merchant_id=forward.merchant_id,
        ):
            try:
                await self._forwarding.advance(forward)
            except LostClaim:
                log.warning("another owner has taken this forward", forward=forward.id)
            except Exception:
                log.exception("a forward could not be worked on", forward=forward.id)
                await self._give_back(forward)
            finally:
                self._working.pop(forward.id, None)
                self._bell.ring()

    async def _give_back(self, forward: Forward) -> None:
        """Try it again soon; if even that cannot be kept, its lease runs out by itself."""
        lease = self._moves.lease()
        with suppress(StoreError):
            async with self._database.transaction() as tx:
                await claims.give_back(tx, forward.id, lease.now + RETRY_PAUSE, lease)
