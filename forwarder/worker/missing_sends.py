"""Looks whether the ledger has what our books say was sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog

from forwarder.model.errors import CallError
from forwarder.model.finding import FindingKind
from forwarder.model.forward import Forward
from forwarder.model.ledger import LedgerPage, Unpaid
from forwarder.model.payout import LEDGER_MAY_LAG
from forwarder.store import forwards
from forwarder.worker.common import Common
from forwarder.worker.discoveries import Discoveries
from forwarder.worker.wallet import Wallet

log = structlog.get_logger(__name__)

ASKED_AT_ONCE: Final = 20  # in one run; the next one begins where this one has stopped


class MissingSends:
    """Finds forwards that count as paid and whose payment the ledger does not show."""

    def __init__(self, common: Common) -> None:
        self._database = common.database
        self._clock = common.clock

    async def look(
        self, wallet: Wallet, since: datetime, pages: Sequence[LedgerPage], found: Discoveries
    ) -> None:
        """Compare what has ended since, and was old enough to be shown. Costs no call as a rule."""
        shown = {entry.id for page in pages for entry in page}
        until = self._clock() - LEDGER_MAY_LAG
        async with self._database.reading() as tx:
            ended = await forwards.sent_between(tx, wallet.source, wallet.id, since, until)
        unseen = [one for one in ended if one.transaction_id not in shown and one.payout]
        missing = [one for one in unseen if not await _is_known(found, one)]
        for forward in missing[:ASKED_AT_ONCE]:
            await self._ask(wallet, forward, found)
        for forward in missing[ASKED_AT_ONCE:]:
            _leave_to_next(found, forward)

    async def _ask(self, wallet: Wallet, forward: Forward, found: Discoveries) -> None:
        """Clocks differ, and lists are cut: only the ledger itself can say that it has none."""
        try:
            proof = await wallet.proof(forward.made_payout)
        except CallError as exc:
            log.warning("a payment could not be looked up", reason=str(exc))
            return _leave_to_next(found, forward)
        if isinstance(proof, Unpaid):
            text = "a forward counts as paid, and the ledger has no payment of it"
            name, amount = str(forward.transaction_id), forward.amount
            await found.open(FindingKind.MISSING_SEND, name, text, forward.payment_hash, amount)


async def _is_known(found: Discoveries, forward: Forward) -> bool:
    return await found.is_known(FindingKind.MISSING_SEND, str(forward.transaction_id))


def _leave_to_next(found: Discoveries, forward: Forward) -> None:
    found.report.read_again_from(forward.ended_at or forward.created_at)
