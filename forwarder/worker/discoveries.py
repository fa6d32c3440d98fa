"""Opens findings for what an audit comes across and nothing explains."""

from __future__ import annotations

import structlog

from forwarder.model.finding import DIFFERENCES, Discovery, FindingKind
from forwarder.model.ledger import Entry
from forwarder.model.report import Report
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash
from forwarder.store import findings
from forwarder.worker.common import Common

log = structlog.get_logger(__name__)


class Discoveries:
    """What one audit has come across, each thing once. A dry run keeps nothing of it."""

    def __init__(self, common: Common, source: Source, report: Report) -> None:
        self._database = common.database
        self._clock = common.clock
        self._source = source
        self.report = report

    async def entry(
        self, kind: FindingKind, entry: Entry, text: str, payment_hash: PaymentHash | None
    ) -> None:
        """An entry that has no explanation, or an odd one."""
        await self.open(kind, entry.id, text, payment_hash, abs(entry.amount))

    async def open(
        self,
        kind: FindingKind,
        transaction_id: str,
        text: str,
        payment_hash: PaymentHash | None = None,
        amount: int = 0,
    ) -> None:
        """Open a finding, unless it is known."""
        found = Discovery(kind, self._source, transaction_id, payment_hash, amount, text)
        if not await self._is_new(found):
            return
        self.report.opened.append(transaction_id)
        log.error("something in a ledger has no explanation", kind=kind.value, text=text)

    async def is_known(self, kind: FindingKind, transaction_id: str) -> bool:
        """Whether such a finding was opened before, be it closed by now."""
        async with self._database.reading() as tx:
            return await findings.is_known(tx, kind, self._source, transaction_id)

    async def explain(self, kind: FindingKind, transaction_id: str, note: str) -> None:
        """Close what has an explanation by now."""
        if not self.report.dry_run:
            async with self._database.transaction() as tx:
                await findings.explain(tx, kind, self._source, transaction_id, note, self._clock())

    async def difference(self) -> int:
        """By how many satoshis ledger and books differ in what nobody has closed yet."""
        async with self._database.reading() as tx:
            return await findings.difference(tx, self._source)

    async def _is_new(self, found: Discovery) -> bool:
        if not self.report.dry_run:
            async with self._database.transaction() as tx:
                return await findings.discover(tx, found, self._clock())
        is_new = not await self.is_known(found.kind, found.transaction_id)
        self.report.drift_sats += found.amount * (is_new and found.kind in DIFFERENCES)
        return is_new
