"""Compares a wallet's own entries with what is kept, and mends what is kept.

One audit is one run over some pages of entries: first all receipts, then all sends, for a send can
only be understood when its payment is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from forwarder.failpoints import failpoint
from forwarder.model.errors import CallError
from forwarder.model.forward import Forward, ForwardState
from forwarder.model.keyring import FORWARD, without_attempt
from forwarder.model.ledger import Direction, Entry, EntryStatus
from forwarder.model.merchant import Merchant
from forwarder.model.payment import Payment, Witness
from forwarder.model.report import Report
from forwarder.model.units import PaymentHash
from forwarder.store import forwards, interventions, merchants, payments, reconciliation
from forwarder.worker.common import Common
from forwarder.worker.intake import Intake
from forwarder.worker.metrics import End
from forwarder.worker.moves import complete
from forwarder.worker.rebuilding import Rebuilding
from forwarder.worker.wallet import Wallet

log = structlog.get_logger(__name__)

# The call that made an invoice may still be under way when its payment is seen; its deadline is a
# quarter of this.
LOST_AFTER: Final = timedelta(seconds=60)


class Audit:
    """One run. With `dry_run` it reports what it would do, and changes nothing."""

    def __init__(
        self,
        common: Common,
        pages: Sequence[Sequence[Entry]],
        wallet: Wallet,
        intake: Intake,
        *,
        dry_run: bool,
    ) -> None:
        self._database = common.database
        self._keyring = common.keyring
        self._intake = intake
        self._notifier = common.notifier
        self._clock = common.clock
        self._metrics = common.metrics
        self._pages = pages
        self._rebuilding = Rebuilding(common, wallet, intake)
        self._source = wallet.source
        self._merchants: Sequence[Merchant] = ()
        self._received: dict[str, PaymentHash] = {}
        # Of two under one stem, the one that has settled counts.
        ours = sorted((e for page in pages for e in page if _is_ours(e)), key=_is_paid)
        self._by_name = {without_attempt(e.external_id): e for e in ours}
        self._payouts = {e.payment_hash: e for e in ours}
        self._paid_on: dict[tuple[PaymentHash, int], Entry] = {}
        self._taken: set[PaymentHash] = set()
        self.report = Report(dry_run, entries=sum(map(len, pages)))

    async def run(self) -> Report:
        """Audit the pages, which are newest first."""
        async with self._database.reading() as tx:
            self._merchants = await merchants.everyone(tx)
        for page in reversed(self._pages):
            await self._receipts([entry for entry in page if self._payout_of(entry) is None])
        for page in reversed(self._pages):
            await self._sends(page)
        for page in reversed(self._pages):
            await self._returns(page)
        return self.report

    # Receipts

    async def _receipts(self, page: Sequence[Entry]) -> None:
        """Take in what nobody told us of, and book what has come back."""
        income = [(r.payment_hash, entry) for entry in page if (r := entry.receipt()) is not None]
        hashes = [payment_hash for payment_hash, _ in income]
        async with self._database.reading() as tx:
            kept = await payments.among(tx, hashes)
            payouts = await forwards.paying(tx, hashes)
        for payment_hash, entry in income:
            if payment_hash in payouts:
                await self._refund(entry, payouts[payment_hash])
                continue
            self._remember(payment_hash)
            if payment_hash not in kept:
                kept |= await self._missed(entry, payment_hash)
            if payment_hash in kept:
                await self._received_as(entry, kept[payment_hash])

    def _remember(self, payment_hash: PaymentHash) -> None:
        """What a payout of this payment is called, by any key, and whether there is one already."""
        for stem in self._keyring.forward_prefixes(payment_hash, position=0):
            self._received[stem] = payment_hash
            if (sent := self._by_name.get(stem)) is not None:
                self._paid_on[payment_hash, 0] = sent

    async def _missed(self, entry: Entry, payment_hash: PaymentHash) -> dict[PaymentHash, Payment]:
        """Take it in; returns what is kept of it then."""
        self._taken.add(payment_hash)
        self.report.missed.append(payment_hash)
        log.warning("a payment was missed", payment_hash=payment_hash, sats=entry.amount)
        receipt = entry.receipt()
        if receipt is None or self.report.dry_run:
            return {}
        await self._intake.take([receipt], self._source, Witness.RECONCILIATION, self._paid_on)
        await failpoint("audit.taken")
        async with self._database.reading() as tx:
            return await payments.among(tx, [payment_hash])

    async def _received_as(self, entry: Entry, payment: Payment) -> None:
        """Compare a receipt with the payment that is kept of its hash."""
        if payment.transaction_id != entry.id:
            # A payment is forwarded once, so what came on top of it is for a person.
            self.report.drift_sats += entry.amount
            log.critical(
                "an invoice was paid twice",
                payment_hash=payment.payment_hash,
                transaction_id=entry.id,
                sats=entry.amount,
            )
            return
        self.report.drift_sats += abs(payment.received - entry.amount)
        if payment.invoice_id is None:
            await self._unmatched(entry, payment.payment_hash)

    async def _unmatched(self, entry: Entry, payment_hash: PaymentHash) -> None:
        """A payment of no invoice that we have: it may be one that our database has lost."""
        merchant = self._keyring.seller(entry.external_id, self._merchants)
        if merchant is None:
            self.report.unmatched.append(payment_hash)
        elif self._may_still_be_kept(entry, payment_hash):
            self.report.young.append(payment_hash)
        elif await self._is_rebuilt(entry, payment_hash, merchant):
            self._taken.add(payment_hash)
            self.report.rebuilt.append(payment_hash)
        else:
            self.report.unmatched.append(payment_hash)

    async def _is_rebuilt(
        self, entry: Entry, payment_hash: PaymentHash, merchant: Merchant
    ) -> bool:
        """Keep the invoice again; false if that has to be tried again, or makes no sense."""
        if self.report.dry_run:
            return True
        try:
            return await self._rebuilding.rebuild(entry, payment_hash, merchant, self._paid_on)
        except CallError as exc:
            log.warning("a lost invoice is read later", payment_hash=payment_hash, reason=str(exc))
            before = self.report.again_from
            self.report.again_from = min(before or entry.created_at, entry.created_at)
            return False

    def _may_still_be_kept(self, entry: Entry, payment_hash: PaymentHash) -> bool:
        """Whether the call that made the invoice may be under way; what was paid on was kept."""
        is_young = entry.created_at > self._clock() - LOST_AFTER
        return is_young and (payment_hash, 0) not in self._paid_on

    # Returns

    def _payout_of(self, entry: Entry) -> Entry | None:
        """The SEND that has come back with this receipt."""
        return None if entry.receipt() is None else self._payouts.get(entry.payment_hash)

    async def _returns(self, page: Sequence[Entry]) -> None:
        """Book what has come back, now that the forwards of all sends are known."""
        for entry in page:
            sent = self._payout_of(entry)
            if sent is None:
                continue
            if forward := await self._by_stem(sent):
                await self._refund(entry, forward)
            else:
                await self._receipts([entry])

    async def _refund(self, entry: Entry, forward: Forward) -> None:
        if self.report.dry_run:
            self.report.refunded.append(entry.id)
            return
        async with self._database.transaction() as tx:
            if not await reconciliation.book_refund(tx, entry, forward, self._clock()):
                return
        self.report.refunded.append(entry.id)
        log.error("a payout came back", payment_hash=forward.payment_hash, sats=entry.amount)

    # Sends

    async def _sends(self, page: Sequence[Entry]) -> None:
        """Settle the forwards that were paid, and find sends that nothing explains."""
        paid = [entry for entry in page if _is_paid(entry)]
        async with self._database.reading() as tx:
            by_hash = await forwards.paying(tx, [e.payment_hash for e in paid if e.payment_hash])
            by_name = await forwards.named(tx, [e.external_id for e in paid if e.external_id])
        for entry in paid:
            forward = by_hash.get(entry.payment_hash or PaymentHash(""))
            forward = forward or by_name.get(entry.external_id or "")
            await self._send(entry, forward or await self._by_stem(entry))

    async def _by_stem(self, entry: Entry) -> Forward | None:
        """The forward of a send that was made by a later state of our database than this one."""
        payment_hash = self._received.get(without_attempt(entry.external_id))
        async with self._database.reading() as tx:
            if payment_hash is None:
                return await forwards.of_stem(tx, without_attempt(entry.external_id))
            found = await forwards.of_payment(tx, payment_hash)
        return found[0] if found else None

    async def _send(self, entry: Entry, forward: Forward | None) -> None:
        match forward:
            case None:
                if _is_ours(entry):
                    self._stray(entry)
            case Forward(state=ForwardState.FORWARDED | ForwardState.RESOLVED):
                self._compare(entry, forward)
            case _:
                await self._settle(entry, forward)

    def _stray(self, entry: Entry) -> None:
        self.report.strays.append(entry.id)
        self.report.drift_sats += -entry.amount
        log.error("a payout belongs to no payment of ours", transaction_id=entry.id)

    def _compare(self, entry: Entry, forward: Forward) -> None:
        if forward.transaction_id == entry.id:
            self.report.drift_sats += abs(-entry.amount - forward.amount)
            if forward.payment_hash in self._taken:
                self._found_paid(forward)
            return
        self.report.drift_sats += -entry.amount
        log.critical(
            "a forward was paid twice",
            payment_hash=forward.payment_hash,
            transaction_id=entry.id,
        )

    async def _settle(self, entry: Entry, forward: Forward) -> None:
        self.report.drift_sats += abs(-entry.amount - forward.amount)
        if self.report.dry_run:
            self.report.settled.append(forward.payment_hash)
            return
        async with self._database.transaction() as tx:
            if not await interventions.settle(tx, forward, entry, self._clock()):
                return  # it is being worked on, and will be proven by whoever does
            told = await complete(tx, forward, self._clock())
        await failpoint("audit.settled")
        self._found_paid(forward)
        await self._notifier.deliver(told)

    def _found_paid(self, forward: Forward) -> None:
        self.report.settled.append(forward.payment_hash)
        self._metrics.ended(forward, End.FOUND_PAID, self._clock())
        log.warning("a payout was found paid", payment_hash=forward.payment_hash)


def _is_paid(entry: Entry) -> bool:
    return entry.direction is Direction.SEND and entry.status is EntryStatus.SUCCESS


def _is_ours(entry: Entry) -> bool:
    """Whether a forwarder made the invoice that this entry has paid, this one or another."""
    sent = entry.direction is Direction.SEND and entry.status is not EntryStatus.FAILURE
    return sent and (entry.external_id or "").startswith(FORWARD)
