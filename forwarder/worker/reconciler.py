"""Reads Blink's own ledger beside ours, and mends ours where it has fallen behind.

Whatever a stop, a lost event or an older database has hidden comes to light here: receipts that no
one told us of, sends that we did not see settle, refunds. Nothing is paid before the first run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import uniform
from typing import Final

import structlog

from forwarder.blink.errors import BlinkError
from forwarder.failpoints import failpoint
from forwarder.model.ledger import Entry
from forwarder.model.report import Report
from forwarder.store import invoices, merchants, reconciliation
from forwarder.store.reconciliation import LastRun
from forwarder.worker.audit import Audit
from forwarder.worker.common import Common
from forwarder.worker.intake import Intake

log = structlog.get_logger(__name__)

# Blink orders entries by the second and from several processes; what is read twice is known.
OVERLAP: Final = timedelta(minutes=10)
BEGINNING: Final = datetime.fromtimestamp(0, UTC)
TRY_AGAIN_SECONDS: Final = 5.0
SETTLED_SECONDS: Final = 5.0
YOUNG_SECONDS: Final = 20.0


class Reconciler:
    """Runs the audit: at the start, on a timer, and whenever it is asked to."""

    def __init__(self, common: Common, intake: Intake, interval_seconds: float) -> None:
        self._common = common
        self._database = common.database
        self._accounts = common.accounts
        self._keyring = common.keyring
        self._intake = intake
        self._clock = common.clock
        self._metrics = common.metrics
        self._interval_seconds = interval_seconds
        self._one_at_a_time = asyncio.Lock()
        self._bell = common.bells.reconciler
        self.is_caught_up = asyncio.Event()
        """Set once Blink's ledger was read since the last run of an earlier process."""

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                report = await self.reconcile()
            except BlinkError as exc:
                log.warning("Blink's ledger could not be read", reason=str(exc))
                await asyncio.sleep(TRY_AGAIN_SECONDS)
                continue
            self.is_caught_up.set()
            # A little apart from other installations, which all began at a full hour.
            rest = self._interval_seconds * uniform(0.9, 1.1)  # noqa: S311
            if report.young:
                rest = min(rest, YOUNG_SECONDS)
            if await self._bell.wait(rest):
                # What was not seen may be under way at Blink, and is to have settled.
                await asyncio.sleep(SETTLED_SECONDS)

    async def reconcile(self, since: datetime | None = None, *, dry_run: bool = False) -> Report:
        """Audit what has happened since the last run, or since a time by Blink's clock.

        Costs one query for each 100 entries. Raises `BlinkError`; what was mended before stays so.
        """
        async with self._one_at_a_time:
            with self._metrics.reconciliation():
                report = await self._audit(since, dry_run)
        self._metrics.reconciled(report)
        return report

    async def recover(self) -> Report:
        """Audit all that Blink has ever booked: what a lost database is rebuilt from."""
        return await self.reconcile(BEGINNING)

    async def _audit(self, since: datetime | None, dry_run: bool) -> Report:
        pages = await self._read(since)
        pos = await self._accounts.pos()
        report = await Audit(self._common, pages, pos, self._intake, dry_run=dry_run).run()
        await failpoint("reconciler.audited")
        if not dry_run:
            await self._keep(pages, report)
            await failpoint("reconciler.moved")
        return report

    async def _read(self, since: datetime | None) -> list[Sequence[Entry]]:
        since = since or await self._since()
        pos = await self._accounts.pos()
        pages: list[Sequence[Entry]] = []
        async for page in pos.client.entries_since(pos.wallet_id, since or BEGINNING):
            await failpoint("reconciler.read")
            if since is None and not pages and not await self._is_lost(page):
                return await self._read_own()
            pages.append(page)
        return pages

    async def _read_own(self) -> list[Sequence[Entry]]:
        """Leave alone what an account has received before there was a service."""
        async with self._database.reading() as tx:
            first = await invoices.first_issued(tx)
        return [] if first is None else await self._read(first)

    async def _since(self) -> datetime | None:
        """Until when Blink's ledger was read; None for a database that has not come to its end."""
        async with self._database.reading() as tx:
            last = await reconciliation.last_run(tx)
        return None if last is None or last.read_until is None else last.read_until - OVERLAP

    async def _is_lost(self, page: Sequence[Entry]) -> bool:
        """Whether there are sales of ours that are not kept: then it is our database that was lost.

        It may know newer ones: tills go on selling while the ledger is read, and that can be cut.
        """
        async with self._database.reading() as tx:
            sellers = await merchants.everyone(tx)
            kept = await invoices.among(tx, [e.payment_hash for e in page if e.payment_hash])
        sales = [entry for entry in page if self._keyring.seller(entry.external_id, sellers)]
        return any(entry.payment_hash not in kept for entry in sales)

    async def _keep(self, pages: Sequence[Sequence[Entry]], report: Report) -> None:
        newest = max((entry.created_at for page in pages for entry in page), default=None)
        async with self._database.transaction() as tx:
            last = await reconciliation.last_run(tx)
            read_until = newest or (last.read_until if last else None)
            run = LastRun(read_until, self._clock(), report.drift_sats)
            await reconciliation.keep_run(tx, run)
        if report.drift_sats:
            log.error("Blink's ledger and ours differ", sats=report.drift_sats)
