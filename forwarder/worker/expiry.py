"""Ends invoices whose time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from forwarder.failpoints import failpoint
from forwarder.model.actor import Actor
from forwarder.model.invoice import Invoice, InvoiceState
from forwarder.store import invoices
from forwarder.worker.catch_up import CatchUp
from forwarder.worker.common import Common

log = structlog.get_logger(__name__)

LAST_LOOK_SECONDS: Final = 2.5  # a page that waits is told soon, whatever Blink does
LONGEST_REST_SECONDS: Final = 10.0  # another process may have made an invoice


class Expiry:
    """Moves pending invoices to `expired` when their time comes, after a last look at the source.

    What is paid later still is taken in; it only is not waited for any more.
    """

    def __init__(self, common: Common, catch_ups: Sequence[CatchUp]) -> None:
        self._database = common.database
        self._wallets = common.wallets
        self._catch_ups = catch_ups
        self._notifier = common.notifier
        self._clock = common.clock
        self._bells = common.bells

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            if (rest := await self._rest_seconds()) > 0:
                await self._bells.expiry.wait(rest)
            else:
                await self._end_due()

    async def _rest_seconds(self) -> float:
        async with self._database.reading() as tx:
            next_expiry = (await invoices.pending(tx)).next_expiry
        if next_expiry is None:
            return LONGEST_REST_SECONDS
        return min((next_expiry - self._clock()).total_seconds(), LONGEST_REST_SECONDS)

    async def _end_due(self) -> None:
        async with self._database.reading() as tx:
            due = await invoices.due(tx, self._clock())
        await self._last_look(due)
        await failpoint("expiry.looked")
        now = self._clock()
        async with self._database.transaction() as tx:
            ended = [
                await invoices.end(tx, invoice, InvoiceState.EXPIRED, now, Actor.EXPIRY)
                for invoice in due
            ]
        self._bells.watcher.ring()
        told = [message for message in ended if message is not None]
        for message in told:
            log.info("an invoice has expired", external_id=message.body["externalId"])
        await self._notifier.deliver(told)

    async def _last_look(self, due: list[Invoice]) -> None:
        """An event may have been lost, and who pays from now on should be refused by Blink."""
        outlived = [invoice for invoice in due if invoice.outlived]
        looks = [catch_up.run() for catch_up in self._catch_ups]
        calls = (*looks, *map(self._cancel_at_source, outlived))
        try:
            async with asyncio.timeout(LAST_LOOK_SECONDS):
                answers = await asyncio.gather(*calls, return_exceptions=True)
        except TimeoutError as exc:
            answers = [exc]
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures:
            log.warning(
                "invoices expired without a last look", reason=str(failures[0]), count=len(due)
            )
            for source in {invoice.source for invoice in due}:
                self._bells.reconcilers[source].ring()

    async def _cancel_at_source(self, outlived: Invoice) -> None:
        """Blink counts in minutes: what ends here in between would stay payable there."""
        wallet = await self._wallets.of(outlived.source)
        if not await wallet.cancel_invoice(outlived.payment_hash):
            # Somebody may be paying it just now: the ledger will show that in a moment.
            self._bells.reconcilers[outlived.source].ring()
