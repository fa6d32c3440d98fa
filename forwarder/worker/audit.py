"""Compares a wallet's own entries with what is kept, and mends what is kept.

One audit is one run over some pages of entries: first all receipts, then all sends, for a send can
only be understood when its payment is known, and then what has come back. One entry that cannot be
understood or kept stops no other: it becomes a finding, and so does all that nothing explains.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final

import structlog

from forwarder.failpoints import failpoint
from forwarder.model.errors import CallError
from forwarder.model.finding import FindingKind
from forwarder.model.forward import Forward, ForwardState
from forwarder.model.keyring import is_sale_name, payout_name
from forwarder.model.ledger import Direction, Entry, EntryStatus, LedgerPage
from forwarder.model.merchant import Merchant
from forwarder.model.payment import Payment, Receipt, Witness
from forwarder.model.report import Report
from forwarder.model.units import PaymentHash
from forwarder.store import forwards, interventions, merchants, payments, reconciliation
from forwarder.store.database import StoreError, is_refusal
from forwarder.worker.common import Common
from forwarder.worker.discoveries import Discoveries
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
        pages: Sequence[LedgerPage],
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
        self._payouts: dict[PaymentHash | None, Entry] = {}
        self._named: defaultdict[str, dict[int, Entry]] = defaultdict(dict)
        self._paid_on: dict[tuple[PaymentHash, int], Entry] = {}
        self._taken: set[PaymentHash] = set()
        self.report = Report(dry_run, entries=sum(map(len, pages)))
        self.discoveries = Discoveries(common, wallet.source, self.report)

    async def run(self) -> Report:
        """Audit the pages, which are newest first."""
        async with self._database.reading() as tx:
            self._merchants = await merchants.everyone(tx)
        self._know_payouts()
        for page in reversed(self._pages):
            await self._unreadable(page)
            await self._receipts([e for e in reversed(page) if self._payout_of(e) is None])
        for page in reversed(self._pages):
            await self._sends(page)
        for page in reversed(self._pages):
            await self._each(filter(self._payout_of, page), self._return)
        return self.report

    def _know_payouts(self) -> None:
        """Index what a forwarder has sent: of two under one stem, the one that has settled."""
        sent = [entry for page in self._pages for entry in page if _is_sent(entry)]
        for entry in sorted(sent, key=_is_paid):
            if (name := payout_name(entry.external_id)) is not None:
                self._payouts[entry.payment_hash] = entry
                self._named[name.digest][name.position] = entry

    # One entry by itself

    async def _each(
        self, entries: Iterable[Entry], handle: Callable[[Entry], Awaitable[None]]
    ) -> None:
        for entry in entries:
            try:
                await handle(entry)
            except StoreError as exc:
                if not is_refusal(exc):
                    raise
                await self._set_aside(entry, exc)
            # An odd entry breaks whatever reads it first, in one of these ways.
            except (ValueError, TypeError, LookupError) as exc:
                await self._set_aside(entry, exc)

    async def _set_aside(self, entry: Entry, exc: Exception) -> None:
        text = f"this entry could not be kept: {type(exc).__name__}"
        kind = FindingKind.UNREADABLE_ENTRY
        await self.discoveries.entry(kind, entry, text, entry.payment_hash)

    async def _unreadable(self, page: LedgerPage) -> None:
        for one in page.unreadable:
            text = f"this entry could not be understood: {one.why}"
            await self.discoveries.open(FindingKind.UNREADABLE_ENTRY, one.id, text)

    # Receipts

    async def _receipts(self, page: Sequence[Entry]) -> None:
        """Take in what nobody told us of, and book what has come back."""
        income = {entry.id: receipt for entry in page if (receipt := _receipt(entry)) is not None}
        hashes = [receipt.payment_hash for receipt in income.values()]
        async with self._database.reading() as tx:
            kept = await payments.among(tx, hashes)
            payouts = await forwards.paying(tx, hashes)

        async def take(entry: Entry) -> None:
            if (receipt := income.get(entry.id)) is None:
                text = "money came without anything that it could be known by"
                kind = FindingKind.UNMATCHED_RECEIPT
                return await self.discoveries.entry(kind, entry, text, None)
            if (forward := payouts.get(receipt.payment_hash)) is not None:
                return await self._refund(entry, forward)
            self._remember(receipt.payment_hash)
            if receipt.payment_hash not in kept:
                kept.update(await self._missed(entry, receipt))
            if (payment := kept.get(receipt.payment_hash)) is not None:
                await self._received_as(entry, payment)

        await self._each((entry for entry in page if entry.is_income), take)

    def _remember(self, payment_hash: PaymentHash) -> None:
        """What its payouts are called, by any key, and which of them there are already."""
        for digest in self._keyring.forward_digests(payment_hash):
            self._received[digest] = payment_hash
            for position, sent in self._named.get(digest, {}).items():
                self._paid_on[payment_hash, position] = sent

    async def _missed(self, entry: Entry, receipt: Receipt) -> dict[PaymentHash, Payment]:
        """Take it in; returns what is kept of it then."""
        self._taken.add(receipt.payment_hash)
        is_foreign = self._keyring.seller(entry.external_id, self._merchants) is None
        if not self.report.dry_run:
            await self._intake.take([receipt], self._source, Witness.RECONCILIATION, self._paid_on)
            await failpoint("audit.taken")
        async with self._database.reading() as tx:
            kept = await payments.among(tx, [receipt.payment_hash])
        is_matched = any(payment.invoice_id is not None for payment in kept.values())
        if is_matched or not is_foreign:
            self.report.missed.append(receipt.payment_hash)
            log.warning(
                "a payment was missed", payment_hash=receipt.payment_hash, sats=entry.amount
            )
        return kept

    async def _received_as(self, entry: Entry, payment: Payment) -> None:
        """Compare a receipt with the payment that is kept of its hash."""
        if payment.transaction_id != entry.id:
            # A payment is forwarded once, so what came on top of it is for a person.
            text = "an invoice was paid once more: only its first payment is forwarded"
            kind = FindingKind.SECOND_RECEIPT
            return await self.discoveries.entry(kind, entry, text, payment.payment_hash)
        self.report.drift_sats += abs(payment.received - entry.amount)
        if payment.invoice_id is None:
            await self._unmatched(entry, payment.payment_hash)

    async def _unmatched(self, entry: Entry, payment_hash: PaymentHash) -> None:
        """A payment of no invoice that we have: it may be one that our database has lost."""
        merchant = self._keyring.seller(entry.external_id, self._merchants)
        if merchant is None:
            await self._unexplained(entry, payment_hash)
        elif self._may_still_be_kept(entry, payment_hash):
            self.report.young.append(payment_hash)
        elif await self._is_rebuilt(entry, payment_hash, merchant):
            self._taken.add(payment_hash)
            self.report.rebuilt.append(payment_hash)
            kind, note = FindingKind.UNMATCHED_RECEIPT, "its invoice is kept again"
            await self.discoveries.explain(kind, entry.id, note)
        else:
            await self._unexplained(entry, payment_hash)

    async def _unexplained(self, entry: Entry, payment_hash: PaymentHash) -> None:
        self.report.unmatched.append(payment_hash)
        text = "money came for no invoice of ours"
        if is_sale_name(entry.external_id):
            text = "money came for an invoice of a forwarder's that is not kept here"
        kind = FindingKind.UNMATCHED_RECEIPT
        await self.discoveries.entry(kind, entry, text, payment_hash)

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
            self.report.read_again_from(entry.created_at)
            return False

    def _may_still_be_kept(self, entry: Entry, payment_hash: PaymentHash) -> bool:
        """Whether the call that made the invoice may be under way; what was paid on was kept."""
        is_young = entry.created_at > self._clock() - LOST_AFTER
        return is_young and not any(known == payment_hash for known, _ in self._paid_on)

    # Returns

    def _payout_of(self, entry: Entry) -> Entry | None:
        """The SEND that has come back with this receipt."""
        return None if entry.receipt() is None else self._payouts.get(entry.payment_hash)

    async def _return(self, entry: Entry) -> None:
        """Book what has come back, now that the forwards of all sends are known."""
        sent = self._payout_of(entry)
        forward = None if sent is None else await self._by_name(sent)
        if forward is None:
            await self._receipts([entry])
        else:
            await self._refund(entry, forward)

    async def _refund(self, entry: Entry, forward: Forward) -> None:
        if await self._is_booked(entry, forward):
            self.report.refunded.append(entry.id)
        text = "what was forwarded came back: whoever it is for has not got it"
        await self.discoveries.entry(FindingKind.REFUND, entry, text, forward.payment_hash)

    async def _is_booked(self, entry: Entry, forward: Forward) -> bool:
        """Book it; false if that was done before."""
        if self.report.dry_run:
            return True
        async with self._database.transaction() as tx:
            return await reconciliation.book_refund(tx, entry, forward, self._clock())

    # Sends

    async def _sends(self, page: Sequence[Entry]) -> None:
        """Settle the forwards that were paid, and find sends that nothing explains."""
        paid = [entry for entry in page if _is_paid(entry)]
        async with self._database.reading() as tx:
            by_hash = await forwards.paying(tx, [e.payment_hash for e in paid if e.payment_hash])
            by_name = await forwards.named(tx, [e.external_id for e in paid if e.external_id])

        async def explain(entry: Entry) -> None:
            forward = by_hash.get(entry.payment_hash or PaymentHash(""))
            forward = forward or by_name.get(entry.external_id or "")
            await self._send(entry, forward or await self._by_name(entry))

        await self._each(paid, explain)

    async def _by_name(self, entry: Entry) -> Forward | None:
        """The forward of a send that was made by a later state of our database than this one."""
        name = payout_name(entry.external_id)
        if name is None:
            return None
        payment_hash = self._received.get(name.digest)
        async with self._database.reading() as tx:
            if payment_hash is None:
                return await forwards.of_stem(tx, name.stem)
            found = await forwards.of_payment(tx, payment_hash)
        return next((one for one in found if one.position == name.position), None)

    async def _send(self, entry: Entry, forward: Forward | None) -> None:
        match forward:
            case None:
                await self._foreign(entry)
            case Forward(state=ForwardState.FORWARDED | ForwardState.RESOLVED):
                await self._compare(entry, forward)
            case _:
                await self._settle(entry, forward)

    async def _foreign(self, entry: Entry) -> None:
        text = "money was sent, and not by a forward of ours"
        if payout_name(entry.external_id) is not None:
            self.report.strays.append(entry.id)
            self.report.drift_sats += -entry.amount
            text = "a payout of a forwarder's was sent for a payment that is not kept here"
        await self.discoveries.entry(FindingKind.FOREIGN_SEND, entry, text, entry.payment_hash)

    async def _compare(self, entry: Entry, forward: Forward) -> None:
        if forward.transaction_id == entry.id:
            self.report.drift_sats += abs(-entry.amount - forward.amount)
            if forward.payment_hash in self._taken:
                self._found_paid(forward)
            return
        text = "a payment was forwarded once more"
        if forward.state is ForwardState.RESOLVED:
            text = "a payment that was settled by hand was forwarded as well"
        kind = FindingKind.DOUBLE_PAYOUT
        await self.discoveries.entry(kind, entry, text, forward.payment_hash)

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


def _receipt(entry: Entry) -> Receipt | None:
    """What an entry of income has brought; what came for no invoice is known by its own id."""
    return entry.receipt() or entry.transfer()


def _is_paid(entry: Entry) -> bool:
    return entry.direction is Direction.SEND and entry.status is EntryStatus.SUCCESS


def _is_sent(entry: Entry) -> bool:
    return entry.direction is Direction.SEND and entry.status is not EntryStatus.FAILURE
