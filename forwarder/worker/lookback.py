"""Looks once through all of a wallet's ledger for sales that our database has lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from forwarder.failpoints import failpoint
from forwarder.model.history import History, Outcome
from forwarder.model.keyring import is_sale_name
from forwarder.model.ledger import LedgerPage
from forwarder.store import histories, invoices
from forwarder.worker.common import Common
from forwarder.worker.wallet import Wallet

log = structlog.get_logger(__name__)

TELL_ENTRIES: Final = 1_000  # how often it is said how far the look is


@dataclass(frozen=True, slots=True)
class Look:
    """What a look has found, and of when the newest entry is, if it was one look to the end."""

    outcome: Outcome
    newest: datetime | None = None


class Lookback:
    """However many entries of other software stand before ours, ours are found.

    It goes back to the beginning of a ledger that was never read. How far it is is kept with each
    page, so that a long look survives a restart.
    """

    def __init__(self, common: Common) -> None:
        self._database = common.database

    async def look(self, wallet: Wallet, *, dry_run: bool) -> Look:
        """Whether sales were lost. Raises `CallError`."""
        async with self._database.reading() as tx:
            history = await histories.find(tx, wallet.source, wallet.id)
        if history.outcome is Outcome.LOST:
            return Look(Outcome.LOST)
        # It may have been whole when a copy was made that is the database now.
        begin = History() if history.outcome is Outcome.WHOLE else history
        return await self._look(wallet, begin, dry_run)

    async def _look(self, wallet: Wallet, history: History, dry_run: bool) -> Look:
        newest: datetime | None = None
        async for page in wallet.history(history.cursor):
            if history.entries == 0:
                newest = max((entry.created_at for entry in page), default=None)
            history = await self._judge(history, page)
            await self._keep(wallet, history, dry_run)
            await failpoint("lookback.read")
            if history.outcome is Outcome.LOST:
                log.error("the database has lost sales: all of the ledger is read again")
                return Look(Outcome.LOST)
            _tell(wallet, history.entries, len(page))
        await self._keep(wallet, replace(history, outcome=Outcome.WHOLE), dry_run)
        return Look(Outcome.WHOLE, newest)

    async def _judge(self, history: History, page: LedgerPage) -> History:
        outcome = Outcome.LOST if await self._is_lost(page) else None
        return History(page.cursor or history.cursor, history.entries + len(page), outcome)

    async def _keep(self, wallet: Wallet, history: History, dry_run: bool) -> None:
        if not dry_run:
            async with self._database.transaction() as tx:
                await histories.keep(tx, wallet.source, wallet.id, history)

    async def _is_lost(self, page: LedgerPage) -> bool:
        """Whether there are sales of a forwarder's that are not kept here."""
        sales = [e.payment_hash for e in page if e.payment_hash and is_sale_name(e.external_id)]
        async with self._database.reading() as tx:
            kept = await invoices.among(tx, sales)
        return any(payment_hash not in kept for payment_hash in sales)


def _tell(wallet: Wallet, entries: int, more: int) -> None:
    if entries // TELL_ENTRIES > (entries - more) // TELL_ENTRIES:
        log.info("looking for lost sales", source=wallet.source.value, entries=entries)
