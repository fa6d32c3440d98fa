"""Looks once through all of a wallet's ledger for sales that our database has lost."""

from __future__ import annotations

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


class Lookback:
    """However many entries of other software stand before ours, ours are found.

    It goes back to the beginning, once for each wallet. How far it is is kept with each page, so
    that a long look survives a restart.
    """

    def __init__(self, common: Common) -> None:
        self._database = common.database

    async def outcome(self, wallet: Wallet) -> Outcome:
        """Whether sales were lost; looks if that is not known yet. Raises `CallError`."""
        async with self._database.reading() as tx:
            history = await histories.find(tx, wallet.source, wallet.id)
        return history.outcome or await self._look(wallet, history)

    async def _look(self, wallet: Wallet, history: History) -> Outcome:
        async for page in wallet.history(history.cursor):
            entries = history.entries + len(page)
            outcome = Outcome.LOST if await self._is_lost(page) else None
            history = History(page.cursor or history.cursor, entries, outcome)
            await self._keep(wallet, history)
            await failpoint("lookback.read")
            if outcome is Outcome.LOST:
                log.error("the database has lost sales: all of the ledger is read again")
                return outcome
            if entries // TELL_ENTRIES > (entries - len(page)) // TELL_ENTRIES:
                log.info("looking for lost sales", source=wallet.source.value, entries=entries)
        await self._keep(wallet, History(history.cursor, history.entries, Outcome.WHOLE))
        return Outcome.WHOLE

    async def _keep(self, wallet: Wallet, history: History) -> None:
        async with self._database.transaction() as tx:
            await histories.keep(tx, wallet.source, wallet.id, history)

    async def _is_lost(self, page: LedgerPage) -> bool:
        """Whether there are sales of a forwarder's that are not kept here."""
        sales = [e.payment_hash for e in page if e.payment_hash and is_sale_name(e.external_id)]
        async with self._database.reading() as tx:
            kept = await invoices.among(tx, sales)
        return any(payment_hash not in kept for payment_hash in sales)
