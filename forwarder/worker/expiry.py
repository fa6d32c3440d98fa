"""Ends invoices whose time is over."""

from __future__ import annotations

import asyncio
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
    """Moves pending invoices to `expired` when their time comes, after a last look at Blink.

    What is paid later still is taken in; it only is not waited for any more.
    """

    def __init__(self, common: Common, catch_up: CatchUp) -> None:
        self._database = common.database
        self._accounts = common.accounts
        self._catch_up = catch_up
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
        calls = (self._catch_up.run(), *map(self._cancel_at_blink, outlived))
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
            self._bells.reconciler.ring()

    async def _cancel_at_blink(self, outlived: Invoice) -> None:
        """Blink counts in minutes: what ends here in between would stay payable there."""
        pos = await self._accounts.pos()
        await pos.client.cancel_invoice(pos.wallet_id, outlived.payment_hash)
