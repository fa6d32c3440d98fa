"""The first half of a forward: from `queued` to a payout invoice that may be paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from forwarder.failpoints import failpoint
from forwarder.model.creations import SPARED
from forwarder.model.errors import CallError, Refused
from forwarder.model.forward import Forward
from forwarder.model.invoice import Invoice, Issued
from forwarder.model.keyring import is_sale_name
from forwarder.model.ledger import Paid, Proof, Underway, Unpaid
from forwarder.model.payout import LEDGER_MAY_LAG, MAX_ATTEMPTS, Expired, Unfit, examine
from forwarder.model.refusal import Refusal, Remedy
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, WalletId
from forwarder.store.vault import VaultError
from forwarder.worker import creations
from forwarder.worker.accounts import Account
from forwarder.worker.clock import monotonic
from forwarder.worker.common import Common
from forwarder.worker.moves import Moves, Next
from forwarder.worker.wallet import CLOCKS_MAY_DIFFER

PAYOUT_MINUTES: Final = 1_440  # the longest that Blink gives
# Until a limit on invoices by the minute may have lifted.
THROTTLE_PAUSE: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Made:
    """A payout invoice, and the merchant's wallet that it was made on."""

    issued: Issued
    on: WalletId


class Invoicing:
    """Makes payout invoices. Each step says what to go on with."""

    def __init__(self, common: Common, moves: Moves) -> None:
        self._accounts = common.accounts
        self._database = common.database
        self._keyring = common.keyring
        self._wallets = common.wallets
        self._moves = moves
        self._clock = common.clock
        self._metrics = common.metrics
        self._began_at = common.clock()
        self._began = monotonic()

    async def make(self, forward: Forward) -> Next:
        """Ask the destination's account for an invoice."""
        sale = await self._moves.paid_invoice(forward)
        try:
            account = await self._accounts.of(forward.merchant_id)
            if self._may_be_paid_on(forward, sale, account):
                return await self._find(forward, sale)
            await failpoint("invoicing.asking")
            made = await self._create(forward, sale, account)
        except VaultError as exc:
            return await self._moves.hold(forward, str(exc), resumes=True)
        except Refused as exc:
            return await self._refused(forward, sale, exc.refusal)
        except CallError as exc:
            return await self._moves.postpone(forward, str(exc))
        await failpoint("invoicing.answered")
        return await self._accept(forward, sale, made)

    def _may_be_paid_on(self, forward: Forward, sale: Invoice, account: Account) -> bool:
        """Whether a later state of our database may have made an invoice and begun to pay it.

        Blink would refuse its name, but only on the account and under the secret of then.
        """
        has_moved = account.moved_at is not None and account.moved_at >= sale.begun_at
        return forward.lost_at is not None or (has_moved and self._was_before(forward, sale))

    def _was_before(self, forward: Forward, sale: Invoice) -> bool:
        """Whether this attempt may be older than this process."""
        begun_at = sale.begun_at if forward.attempt == 1 else forward.asked_at
        return begun_at is None or begun_at < self._began_at

    async def _create(self, forward: Forward, sale: Invoice, account: Account) -> Made:
        memo = (await self._wallets.of(forward.source)).memo(forward)
        spared = SPARED if is_sale_name(sale.external_id) else 0
        async with self._database.transaction() as tx:
            await creations.take(tx, self._clock, account.wallet_id, spared=spared)
        issued = await account.client.create_invoice(
            account.wallet_id, forward.amount, memo, PAYOUT_MINUTES, forward.external_id
        )
        return Made(issued, account.wallet_id)

    async def _accept(self, forward: Forward, sale: Invoice, made: Made) -> Next:
        """Keep the payout invoice, decoded and compared: what is kept may be paid."""
        try:
            payout = examine(made.issued, forward, sale, self._clock())
        except Expired as exc:
            return await self._replace(forward, sale, str(exc))
        except Unfit as exc:
            return await self._moves.hold(forward, str(exc))
        return await self._moves.keep_invoice(forward, payout, made.on)

    async def _refused(self, forward: Forward, sale: Invoice, why: Refusal) -> Next:
        if why.is_duplicate:
            return await self._find(forward, sale)
        match why.remedy:
            case Remedy.HOLD:
                return await self._moves.hold(forward, str(why))
            case Remedy.WAIT:
                return await self._moves.hold(forward, str(why), resumes=True)
            case Remedy.RETRY | Remedy.RENEW | Remedy.PROVE:
                until = self._clock() + THROTTLE_PAUSE if why.is_throttling else None
                return await self._moves.postpone(forward, str(why), not_before=until)
            case _:
                assert_never(why.remedy)

    # Blink has an invoice of this name already: the answer to an earlier call was lost. Or our
    # database is older than the ledgers and that invoice is even paid, so this is asked first.

    async def _find(self, forward: Forward, sale: Invoice) -> Next:
        try:
            proof = await self._sent_by_name(forward, sale.issued_at)
            match proof:
                case Paid() as sent:
                    return await self._moves.finish(forward, sent)
                case Underway():
                    return await self._moves.postpone(forward, "its payment is under way")
                case Unpaid():
                    made = await self._made_by_name(forward, sale.issued_at)
                case _:
                    assert_never(proof)
        except Refused as exc:
            if exc.refusal.remedy is not Remedy.HOLD:
                return await self._moves.postpone(forward, str(exc))
            return await self._replace(
                forward, sale, f"the merchant's invoices cannot be read: {exc}"
            )
        except CallError as exc:
            return await self._moves.postpone(forward, str(exc))
        if made is None:
            return await self._replace(forward, sale, "it is not among the merchant's invoices")
        return await self._accept(forward, sale, made)

    async def _sent_by_name(self, forward: Forward, since: datetime) -> Proof:
        """What the entries of the wallet that pays prove of payout invoices of this name.

        Under any attempt and any value of the secret: an older database does not know of what came
        after it.
        """
        stems = self._keyring.forward_prefixes(forward.payment_hash, forward.position)
        wallet = await self._wallets.of(forward.source)
        proof = await wallet.proof_of_name(stems, since)
        self._metrics.proved(proof)
        return proof

    async def _made_by_name(self, forward: Forward, since: datetime) -> Made | None:
        """The invoice in the merchant's list, which only a key with the scope READ may see."""
        account = await self._accounts.of(forward.merchant_id)
        if forward.source is not Source.BLINK:
            since -= CLOCKS_MAY_DIFFER  # it is a node's time, and this is Blink's list
        async for page in account.client.invoices_since(account.wallet_id, since):
            for listed in page:
                if listed.external_id == forward.external_id:
                    payment_hash = PaymentHash(listed.payment_hash)
                    issued = Issued(payment_hash, listed.payment_request, listed.created_at)
                    return Made(issued, account.wallet_id)
        return None

    async def _replace(self, forward: Forward, sale: Invoice, why: str) -> Next:
        """Nobody has the lost invoice, so nobody can pay it; once that is sure, a new one."""
        if forward.attempt >= MAX_ATTEMPTS and not forward.is_replayed:
            reason = f"{forward.attempt} payout invoices were lost, the last because {why}"
            return await self._moves.hold(forward, reason)
        now = self._clock()
        sure_at = (forward.asked_at or now) + LEDGER_MAY_LAG
        if self._was_before(forward, sale):
            # What was paid before the start is in the ledger by then.
            sure_at = max(sure_at, now + LEDGER_MAY_LAG - self._up_for())
        if now < sure_at:
            reason = f"the payout invoice was lost with Blink's answer, and {why}"
            return await self._moves.postpone(forward, reason, not_before=sure_at)
        return await self._moves.renew(forward)

    def _up_for(self) -> timedelta:
        return timedelta(seconds=monotonic() - self._began)
