"""What webhooks tell: kept before they are answered, and believed once it is confirmed.

A signature says who has told something, not that it is still so, or whether it was told before. So
what a webhook says of amounts is not even read: the source is asked what it has received.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from tenacity import wait_random_exponential

from forwarder.failpoints import failpoint
from forwarder.model.errors import CallError
from forwarder.model.payment import Receipt, Witness
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash
from forwarder.store import hints
from forwarder.store.hints import Hint
from forwarder.worker.backoff import seconds_before
from forwarder.worker.common import Common
from forwarder.worker.intake import Intake

log = structlog.get_logger(__name__)

AT_ONCE: Final = 16
LONGEST_WAIT_SECONDS: Final = 60.0
LONGEST_REST_SECONDS: Final = 10.0  # another process may have kept one, and died
DOUBTS: Final = 10  # how often a source is asked about what it says it has not received


class Hints:
    """Keeps hints, and takes in what they are about."""

    def __init__(self, common: Common, intake: Intake) -> None:
        self._database = common.database
        self._wallets = common.wallets
        self._intake = intake
        self._clock = common.clock
        self._bell = common.bells.hints
        self._reconcilers = common.bells.reconcilers
        self._backoff = wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_SECONDS)

    async def keep(self, source: Source, payment_hash: PaymentHash) -> None:
        """Keep what a verified webhook tells; from now on it outlives this process."""
        await failpoint("hints.verified")
        async with self._database.transaction() as tx:
            is_new = await hints.keep(tx, source, payment_hash, self._clock())
        await failpoint("hints.kept")
        log.info("a webhook has told of a payment", payment_hash=payment_hash, new=is_new)
        self._bell.ring()

    def doubt(self, source: Source) -> None:
        """Something was told that is not understood: have the source's ledger read soon."""
        self._reconcilers[source].ring()

    async def run(self) -> None:
        """Confirm hints until cancelled."""
        while True:
            async with self._database.reading() as tx:
                due = await hints.due(tx, self._clock(), AT_ONCE)
            await asyncio.gather(*map(self._confirm, due))
            await self._bell.wait(await self._rest_seconds())

    async def _rest_seconds(self) -> float:
        async with self._database.reading() as tx:
            due_at = await hints.next_due(tx)
        if due_at is None:
            return LONGEST_REST_SECONDS
        return min(max((due_at - self._clock()).total_seconds(), 0), LONGEST_REST_SECONDS)

    async def _confirm(self, hint: Hint) -> None:
        try:
            receipt = await self._ask(hint)
        except CallError as exc:
            log.warning("a payment cannot be confirmed yet", reason=str(exc))
            return await self._put_off(hint)
        if receipt is not None:
            await self._intake.take([receipt], hint.source, Witness.WEBHOOK)
            return await self._settle(hint)
        if hint.tries < DOUBTS:
            return await self._put_off(hint)
        log.error("a webhook told of what was not received", payment_hash=hint.payment_hash)
        return await self._settle(hint)

    async def _ask(self, hint: Hint) -> Receipt | None:
        wallet = await self._wallets.of(hint.source)
        return await wallet.receipt_of(hint.payment_hash)

    async def _put_off(self, hint: Hint) -> None:
        wait = timedelta(seconds=seconds_before(hint.tries + 1, self._backoff))
        async with self._database.transaction() as tx:
            await hints.put_off(tx, hint, self._clock() + wait)

    async def _settle(self, hint: Hint) -> None:
        async with self._database.transaction() as tx:
            await hints.settle(tx, hint)
