"""Reads the sources' own ledgers beside ours, and mends ours where it has fallen behind.

Whatever a stop, a lost event or an older database has hidden comes to light here: receipts that no
one told us of, sends that we did not see settle, refunds. Nothing is paid from a source before the
first run on its ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from random import uniform
from typing import Final

import structlog

from forwarder.failpoints import failpoint
from forwarder.model.errors import CallError
from forwarder.model.history import Outcome
from forwarder.model.ledger import LedgerPage
from forwarder.model.report import Report
from forwarder.model.source import Source
from forwarder.store import invoices, reconciliation
from forwarder.store.database import Transaction
from forwarder.store.reconciliation import LastRun
from forwarder.worker import pulse
from forwarder.worker.audit import Audit
from forwarder.worker.bell import Bell
from forwarder.worker.common import Common
from forwarder.worker.intake import Intake
from forwarder.worker.lookback import Look, Lookback
from forwarder.worker.missing_sends import MissingSends
from forwarder.worker.wallet import Wallet

log = structlog.get_logger(__name__)

# Blink orders entries by the second and from several processes; what is read twice is known.
OVERLAP: Final = timedelta(minutes=10)
BEGINNING: Final = datetime.fromtimestamp(0, UTC)
TRY_AGAIN_SECONDS: Final = 5.0
SETTLED_SECONDS: Final = 5.0  # what was under way when somebody asked has an entry by then
YOUNG_SECONDS: Final = 20.0  # a receipt that was too new to tell is looked at again soon


class Reconciler:
    """Runs the audits: at the start, on a timer, and whenever it is asked to."""

    def __init__(self, common: Common, intake: Intake, interval_seconds: float) -> None:
        self._common = common
        self._database = common.database
        self._wallets = common.wallets
        self._lookback = Lookback(common)
        self._missing = MissingSends(common)
        self._intake = intake
        self._clock = common.clock
        self._metrics = common.metrics
        self._interval_seconds = interval_seconds
        self._one_at_a_time = {source: asyncio.Lock() for source in Source}

    async def run(self, source: Source) -> None:
        """Audit one ledger until cancelled: one that cannot be read stops no other."""
        bell = self._common.bells.reconcilers[source]
        while True:
            try:
                report = await self._reconcile(source, None, dry_run=False)
            except CallError as exc:
                log.warning("a ledger could not be read", source=source.value, reason=str(exc))
                await pulse.rest(TRY_AGAIN_SECONDS)
                continue
            self._found_current(source)
            await self._rest(bell, report)

    async def _rest(self, bell: Bell, report: Report) -> None:
        """Wait until it is time again, or until somebody asks."""
        # A little apart from other installations, which all began at a full hour.
        seconds = self._interval_seconds * uniform(0.9, 1.1)  # noqa: S311
        if report.young:
            seconds = min(seconds, YOUNG_SECONDS)
        if await bell.wait(seconds):
            # What was not seen may be under way there, and is to have settled.
            await pulse.rest(SETTLED_SECONDS)

    def _found_current(self, source: Source) -> None:
        """From now on money is paid from there: our database is as old as its ledger."""
        if source in self._common.unread:
            self._common.unread.discard(source)
            self._common.bells.payout.ring()

    async def reconcile(self, since: datetime | None = None, *, dry_run: bool = False) -> Report:
        """Audit what has happened since the last run, or since a time by the ledgers' own clocks.

        Costs one query for each 100 entries. Raises `CallError`; what was mended before stays so.
        """
        whole = Report(dry_run)
        for source in self._wallets.sources:
            whole.add(await self._reconcile(source, since, dry_run=dry_run))
        return whole

    async def recover(self) -> Report:
        """Audit all that was ever booked: what a lost database is rebuilt from."""
        return await self.reconcile(BEGINNING)

    async def _reconcile(self, source: Source, since: datetime | None, *, dry_run: bool) -> Report:
        lock = self._one_at_a_time[source]
        with pulse.resting():
            await lock.acquire()
        try:
            with self._metrics.reconciliation():
                report = await self._audit(source, since, dry_run)
        finally:
            lock.release()
        self._metrics.reconciled(report)
        return report

    async def _audit(self, source: Source, since: datetime | None, dry_run: bool) -> Report:
        wallet = await self._wallets.of(source)
        begin, seen = since or await self._since(wallet), None
        if begin is None:
            look = await self._lookback.look(wallet, dry_run=dry_run)
            begin, seen = await self._first(wallet, look), _beyond(look.newest)
        pages = [] if begin is None else [page async for page in _pages(wallet, begin)]
        audit = Audit(self._common, pages, wallet, self._intake, dry_run=dry_run)
        report = await audit.run()
        if begin is not None:
            await self._missing.look(wallet, begin, pages, audit.discoveries)
        await failpoint("reconciler.audited")
        if not dry_run:
            await self._keep(wallet, since, pages, report, seen)
            await failpoint("reconciler.moved")
        # Not kept with the run: it is counted anew wherever it is shown, until it is closed.
        report.drift_sats += await audit.discoveries.difference()
        return report

    async def _first(self, wallet: Wallet, look: Look) -> datetime | None:
        """From when on a ledger is read that never was: from its beginning, if sales were lost.

        Otherwise what the account has received before there was a service is left alone; None if
        nothing was ever sold.
        """
        if look.outcome is Outcome.LOST:
            return BEGINNING
        async with self._database.reading() as tx:
            return await invoices.first_issued(tx, wallet.source, wallet.id)

    async def _since(self, wallet: Wallet) -> datetime | None:
        """From when on a ledger is read; None for a database that has not come to its end."""
        async with self._database.reading() as tx:
            read_until = await _read_until(tx, wallet)
        # A clock that ran ahead and was put right hides nothing that comes after.
        return None if read_until is None else min(read_until, self._clock()) - OVERLAP

    async def _keep(
        self,
        wallet: Wallet,
        since: datetime | None,
        pages: Sequence[LedgerPage],
        report: Report,
        seen: datetime | None,
    ) -> None:
        times = [entry.created_at for page in pages for entry in page]
        newest = report.again_from or max(times, default=seen)
        now = self._clock()
        async with self._database.transaction() as tx:
            known = await _read_until(tx, wallet)
            # What lies before a time that a person gave may never have been read.
            has_gap = since is not None and since > (known or BEGINNING)
            read_until = known if has_gap else newest or known
            run = LastRun(read_until and min(read_until, now), now, report.drift_sats, wallet.id)
            await reconciliation.keep_run(tx, wallet.source, run)
        if report.drift_sats:
            log.error("a ledger and ours differ", source=wallet.source, sats=report.drift_sats)


def _beyond(newest: datetime | None) -> datetime | None:
    """What a reading has to have come to for the next one to begin after this entry."""
    return None if newest is None else newest + OVERLAP + timedelta(seconds=1)


async def _pages(wallet: Wallet, since: datetime) -> AsyncIterator[LedgerPage]:
    async for page in wallet.entries_since(since):
        await failpoint("reconciler.read")
        yield page


async def _read_until(tx: Transaction, wallet: Wallet) -> datetime | None:
    """How far the ledger of this wallet was read, and not of one that its source had meanwhile."""
    last = await reconciliation.last_run(tx, wallet.source)
    is_its_own = last is not None and last.wallet_id in (None, wallet.id)
    return last.read_until if last is not None and is_its_own else None
