"""Asks a source for payments that nobody may have told us of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from forwarder.failpoints import failpoint
from forwarder.model.ledger import income
from forwarder.model.payment import Witness
from forwarder.model.source import Source
from forwarder.store import invoices
from forwarder.worker.common import Common
from forwarder.worker.intake import Intake

WITNESS: Final = {Source.BLINK: Witness.CATCH_UP, Source.PHOENIXD: Witness.POLL}

# Blink orders entries by the second, not by commit, so the last look's edge is looked at again; and
# nothing says in which order a node keeps what it receives.
OVERLAP: Final = {
    Source.BLINK: timedelta(seconds=30),
    Source.PHOENIXD: timedelta(minutes=10),
}


class CatchUp:
    """Reads a wallet's newest entries, back to where no pending invoice can have been paid unseen.

    All times here are the source's own, so a wrong clock of ours hides nothing.
    """

    def __init__(self, common: Common, intake: Intake, source: Source) -> None:
        self.source = source
        self._wallets = common.wallets
        self._database = common.database
        self._intake = intake
        self._metrics = common.metrics
        self._seen: datetime | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Take in every receipt since the last look. Costs a query for each 100 entries.

        Raises `CallError`; what was read before is kept.
        """
        async with self._one_at_a_time:
            async with self._database.reading() as tx:
                pending = await invoices.pending(tx, self.source)
            if pending.oldest is not None:
                with self._counted():
                    self._seen = await self._read_back_to(self._edge(pending.oldest)) or self._seen

    @contextmanager
    def _counted(self) -> Iterator[None]:
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            self._metrics.catch_ups.labels(self.source, outcome).inc()

    def _edge(self, oldest: datetime) -> datetime:
        """From the last look on: what has ended unpaid since may have been paid all the same."""
        return oldest if self._seen is None else self._seen - OVERLAP[self.source]

    async def _read_back_to(self, edge: datetime) -> datetime | None:
        """Returns the time of the newest entry."""
        wallet = await self._wallets.of(self.source)
        newest: datetime | None = None
        async for page in wallet.income_since(edge):
            await failpoint("catch_up.found")
            await self._intake.take(income(page), self.source, WITNESS[self.source])
            await failpoint("catch_up.taken")
            newest = newest or (page[0].created_at if page else None)
        return newest
