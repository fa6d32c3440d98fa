"""The second half of a forward: its payout invoice is paid, once, and that is proven."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final, assert_never

from forwarder.failpoints import failpoint
from forwarder.model.errors import CallError, NeverSent, Refused
from forwarder.model.forward import Forward, Verdict
from forwarder.model.ledger import Paid, Proof, Underway, Unpaid
from forwarder.model.payout import (
    Absent,
    Doubt,
    Hold,
    ReadAgain,
    Renew,
    TryAgain,
    after_absence,
    after_refusal,
)
from forwarder.model.refusal import Refusal
from forwarder.model.source import Source
from forwarder.store.moves import Insolvent, Moved
from forwarder.store.vault import VaultError
from forwarder.worker.clock import monotonic
from forwarder.worker.common import Common
from forwarder.worker.moves import Moves, Next
from forwarder.worker.patience import Patience
from forwarder.worker.wallet import Wallet

SEND_WITHIN: Final = timedelta(seconds=10)
"""How long after it was kept a payment may still leave.

A process that was stopped in between may wake up when others have given its payout invoice up and
made a new one: to pay the old one then would be to pay twice.
"""


class OtherWallet(Exception):
    """A source has another wallet now than the one that may have paid."""


class Sending:
    """Pays payout invoices. Each step says what to go on with."""

    def __init__(self, common: Common, moves: Moves) -> None:
        self._accounts = common.accounts
        self._keyring = common.keyring
        self._wallets = common.wallets
        self._moves = moves
        self._clock = common.clock
        self._metrics = common.metrics
        self._patience = Patience()
        self._began_at = common.clock()
        # Blink sends one at a time from a wallet, and gives up on whoever waits for long.
        self._lanes = {source: asyncio.Lock() for source in Source}
        self._closed = False

    def close(self) -> None:
        """Let no further payment leave."""
        self._closed = True

    async def send(self, forward: Forward) -> Next:
        """Pay the payout invoice, and go by the answer."""
        await failpoint("sending.due")
        try:
            wallet = await self._wallet(forward)
        except CallError as exc:
            return await self._moves.postpone(forward, str(exc))
        except OtherWallet as exc:
            return await self._moves.hold(forward, str(exc))
        async with self._lanes[forward.source]:
            return None if self._closed else await self._send(forward, wallet)

    async def _send(self, forward: Forward, wallet: Wallet) -> Next:
        begun = monotonic()
        try:
            sending = await self._moves.begin_sending(forward, wallet.id)
        except Insolvent:
            reason = f"more would be sent for this payment than wallet {wallet.id} has received"
            return await self._moves.hold(forward, reason)
        except Moved:
            return await self._follow(forward)
        await failpoint("sending.kept")
        if sending is None:
            return None
        if monotonic() - begun > SEND_WITHIN.total_seconds():
            return await self._moves.try_again(sending)
        return await self._pay(sending, wallet)

    async def _pay(self, forward: Forward, wallet: Wallet) -> Next:
        try:
            answer = await wallet.pay(forward.made_payout)
            await failpoint("sending.answered")
        except NeverSent:
            return await self._moves.try_again(forward)
        except Refused as exc:
            answer = exc.refusal
        except CallError as exc:
            # Not known: a later try begins with the proof, as it does after a crash.
            return await self._moves.postpone(forward, str(exc))
        if isinstance(answer, Refusal):
            return await self.prove(forward, answer)
        return await self._conclude(forward, answer, None)

    async def _follow(self, forward: Forward) -> Next:
        """The merchant's money goes elsewhere now: so does what was not sent yet."""
        try:
            account = await self._accounts.of(forward.merchant_id)
        except VaultError as exc:
            return await self._moves.hold(forward, str(exc), resumes=True)
        except CallError as exc:
            return await self._moves.postpone(forward, str(exc))
        if account.wallet_id == forward.payout_to:
            return forward  # it was only not known which wallet it is
        # What was begun before the start a later state of our database may have sent on already.
        sale = await self._moves.paid_invoice(forward)
        if forward.sent_at is None and sale.begun_at >= self._began_at:
            return await self._moves.renew(forward)
        reason = "the merchant has another account now"
        return await self._moves.doubt(forward, Verdict.REFUSED, reason)

    async def recover(self, forward: Forward) -> Next:
        """Found in `sending`: its answer was not seen, or did not say who has paid."""
        if forward.verdict is not None:
            return await self.prove(forward, None)
        return await self.prove(await self._moves.lose(forward), None)

    async def prove(self, forward: Forward, refusal: Refusal | None) -> Next:
        """Ask the wallet whether it has our SEND, whatever its answer was, if there was one."""
        try:
            proof = await self._ask(forward)
        except CallError as exc:
            self._metrics.proofs.labels("unanswered").inc()
            return await self._moves.postpone(forward, str(exc))
        except OtherWallet as exc:
            return await self._moves.hold(forward, str(exc))
        self._metrics.proved(proof)
        return await self._conclude(forward, proof, refusal)

    async def _ask(self, forward: Forward) -> Proof:
        await failpoint("sending.proving")
        wallet = await self._wallet(forward)
        proof = await wallet.proof(forward.made_payout)
        if isinstance(proof, Unpaid) and forward.absent_at is not None:
            # What one query does not show yet another one may.
            stems = self._keyring.forward_prefixes(forward.payment_hash, forward.position)
            proof = await wallet.proof_by_list(forward.made_payout, stems)
        await failpoint("sending.proven")
        return proof

    async def _wallet(self, forward: Forward) -> Wallet:
        """Who pays. Raises `OtherWallet`: only the wallet that may have paid can prove it."""
        wallet = await self._wallets.of(forward.source)
        if forward.sent_from not in (None, wallet.id):
            raise OtherWallet(
                f"it was sent from wallet {forward.sent_from}, and that is {wallet.id} now"
            )
        return wallet

    async def _conclude(self, forward: Forward, proof: Proof, refusal: Refusal | None) -> Next:
        match proof:
            case Paid() as sent:
                self._patience.forget(forward)
                return await self._moves.finish(forward, sent)
            case Underway():
                return await self._moves.postpone(forward, "its payment is under way")
            case Unpaid() if forward.verdict is not None:
                return await self._absent(forward)
            case Unpaid():
                return await self._unpaid(forward, refusal)
            case _:
                assert_never(proof)

    async def _unpaid(self, forward: Forward, refusal: Refusal | None) -> Next:
        consequence = TryAgain() if refusal is None else after_refusal(refusal)
        match consequence:
            case TryAgain():
                return await self._moves.try_again(forward)
            case Hold(reason, resumes):
                return await self._moves.hold(forward, reason, resumes=resumes)
            case Doubt(verdict, why):
                self._patience.sent_for(forward)
                return await self._moves.doubt(forward, verdict, str(why))
            case _:
                assert_never(consequence)

    async def _absent(self, forward: Forward) -> Next:
        """The ledger shows no payment of an invoice that nobody sends any more."""
        consequence = after_absence(forward, self._patience.sent_for(forward), self._clock())
        match consequence:
            case ReadAgain(reason, at):
                return await self._moves.postpone(forward, reason, not_before=at)
            case Absent():
                return await self._moves.note_absence(forward)
            case Hold(reason, resumes):
                return await self._moves.hold(forward, reason, resumes=resumes)
            case Renew():
                self._patience.forget(forward)
                return await self._moves.renew(forward)
            case _:
                assert_never(consequence)
