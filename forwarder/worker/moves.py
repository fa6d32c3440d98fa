"""The moves of a forward as the worker makes them: each one transaction, under one lease."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from tenacity import wait_random_exponential

from forwarder.failpoints import failpoint
from forwarder.model.forward import Forward, ForwardState, PayoutInvoice, Verdict
from forwarder.model.invoice import Invoice
from forwarder.model.lease import Lease
from forwarder.model.ledger import Paid
from forwarder.model.message import Message
from forwarder.model.payout import BETWEEN_READINGS, LEDGER_MAY_LAG
from forwarder.model.refusal import Remedy
from forwarder.model.units import WalletId
from forwarder.store import forwards, invoices, locks, moves, payments
from forwarder.store.database import Transaction
from forwarder.worker.backoff import seconds_before
from forwarder.worker.common import Common
from forwarder.worker.metrics import End

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=5)  # renewed while we live: one that has frozen delays no other
LANE_WAIT: Final = timedelta(seconds=0.2)
FIRST_WAIT_SECONDS: Final = 0.25  # doubled with each try, and drawn at random below that


Next = Forward | None
"""The forward to go on with; None when its lease was given back, and nothing is to be done now."""


class Moves:
    """What the steps of a forward keep. Every move raises `LostClaim`."""

    def __init__(self, common: Common, retry_max_seconds: int) -> None:
        self._database = common.database
        self._keyring = common.keyring
        self._notifier = common.notifier
        self._clock = common.clock
        self._backoff = wait_random_exponential(FIRST_WAIT_SECONDS, max=retry_max_seconds)
        self._longest_wait = timedelta(seconds=retry_max_seconds) + LEDGER_MAY_LAG
        self._owner = common.owner
        self._metrics = common.metrics

    def lease(self) -> Lease:
        """A lease of this process, from now on."""
        now = self._clock()
        return Lease(self._owner, now, now + LEASE, now + LEASE + self._longest_wait)

    async def paid_invoice(self, forward: Forward) -> Invoice:
        """The invoice that the customer paid."""
        async with self._database.reading() as tx:
            sale = await invoices.by_hash(tx, forward.payment_hash)
        if sale is None:
            raise AssertionError("a forward belongs to the payment of an invoice")
        return sale

    async def keep_invoice(
        self, forward: Forward, payout: PayoutInvoice, payout_to: WalletId
    ) -> Forward:
        """`queued` -> `invoiced`."""
        async with self._database.transaction() as tx:
            invoiced = await moves.keep_invoice(tx, forward, payout, payout_to, self.lease())
        log.info("a payout invoice was made", attempt=forward.attempt, sats=forward.amount)
        return invoiced

    async def begin_sending(self, forward: Forward, wallet_id: WalletId) -> Next:
        """`invoiced` -> `sending`, or set aside while another process sends.

        Raises `Insolvent`, `Moved`.
        """
        async with self._database.transaction() as tx:
            lease = self.lease()
            sending = await moves.begin_sending(tx, forward, wallet_id, lease)
            if sending is None:
                await moves.set_aside(tx, forward, lease.now + LANE_WAIT, lease)
        if sending is not None:
            log.info("a payout is being sent", attempt=forward.attempt, sats=forward.amount)
        return sending

    async def lose(self, forward: Forward) -> Forward:
        """Stay in `sending`, knowing that the answer of the call was not seen."""
        async with self._database.transaction() as tx:
            return await moves.mark_lost(tx, forward, self.lease())

    async def try_again(self, forward: Forward) -> Next:
        """`sending` -> `invoiced`: the same payout invoice, after a wait."""
        async with self._database.transaction() as tx:
            await moves.mark_unpaid(tx, forward, self._next_try(forward), self.lease())
        self._metrics.retries.labels(forward.state).inc()
        return None

    async def doubt(self, forward: Forward, verdict: Verdict, refusal: str) -> Next:
        """Keep what was said of the payout invoice for good, and read the ledger again."""
        async with self._database.transaction() as tx:
            due_at = self._next_try(forward)
            await moves.doubt(tx, forward, verdict, refusal, due_at, self.lease())
        log.warning("a payout is in doubt", attempt=forward.attempt, reason=refusal)
        return None

    async def note_absence(self, forward: Forward) -> Next:
        """Keep that the ledger shows no payment of it, and read it once more."""
        async with self._database.transaction() as tx:
            due_at = self._clock() + BETWEEN_READINGS
            await moves.note_absence(tx, forward, due_at, self.lease())
        return None

    async def renew(self, forward: Forward) -> Forward:
        """Back to `queued`, for a payout invoice of a new name."""
        attempt = forward.attempt + 1
        name = self._keyring.forward_name(forward.payment_hash, forward.position, attempt)
        async with self._database.transaction() as tx:
            lease = self.lease()
            if forward.state is ForwardState.SENDING:
                forward = await moves.find_unpaid(tx, forward, lease)
            renewed = await moves.renew(tx, forward, name, lease)
        log.warning("a payout invoice was given up", attempt=forward.attempt)
        return renewed

    async def resume(self, forward: Forward) -> Forward:
        """From `held` back to where it was."""
        async with self._database.transaction() as tx:
            return await moves.resume(tx, forward, self.lease())

    async def hold(self, forward: Forward, reason: str, *, resumes: bool = False) -> Next:
        """To `held`, for a person to see; with `resumes` it is tried again all the same."""
        resume_at = self._next_try(forward) if resumes else None
        async with self._database.transaction() as tx:
            await moves.hold(tx, forward, reason, resume_at, self.lease())
        self._metrics.held.labels(Remedy.WAIT if resumes else Remedy.HOLD).inc()
        log.error("a forward is held", reason=reason, resumes=resumes)
        return None

    async def postpone(
        self, forward: Forward, reason: str, *, not_before: datetime | None = None
    ) -> Next:
        """Stay in this state, and try again later."""
        due_at = self._next_try(forward)
        if not_before is not None:
            # What was kept under a clock that ran ahead would be due beyond any horizon of ours.
            due_at = min(max(due_at, not_before), self._clock() + self._longest_wait)
        async with self._database.transaction() as tx:
            await moves.postpone(tx, forward, reason, due_at, self.lease())
        self._metrics.retries.labels(forward.state).inc()
        log.warning("a forward waits", state=forward.state.value, reason=reason)
        return None

    async def finish(self, forward: Forward, sent: Paid) -> Next:
        """To `forwarded`, and tell the page if that was the last forward of its payment."""
        async with self._database.transaction() as tx:
            await moves.finish(tx, forward, sent, self.lease())
            told = await complete(tx, forward, self._clock())
        self._metrics.ended(forward, End.FORWARDED, self._clock())
        log.info("a payment was forwarded", transaction_id=sent.transaction_id, sats=forward.amount)
        await failpoint("moves.forwarded")
        await self._notifier.deliver(told)
        return None

    def _next_try(self, forward: Forward) -> datetime:
        seconds = seconds_before(forward.tries + 1, self._backoff)
        return self._clock() + timedelta(seconds=seconds)


async def complete(tx: Transaction, forward: Forward, now: datetime) -> list[Message]:
    """Record that a sale is at its end, if this was the last forward of its payment."""
    # Two forwards that end at once in two processes would each find the other one open.
    await locks.hold(tx, forward.payment_hash)
    payment = await payments.find(tx, forward.payment_hash)
    sale = await invoices.by_hash(tx, forward.payment_hash)
    if payment is None or sale is None or not await forwards.all_settled(tx, payment):
        return []
    return [await invoices.complete(tx, sale, payment.received, now)]
