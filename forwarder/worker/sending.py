"""The second half of a forward: its payout invoice is paid, once, and that is proven."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final, assert_never

from forwarder.failpoints import failpoint
from forwarder.model.errors import CallError, NeverSent, Refused
from forwarder.model.forward import Forward, PayoutInvoice
from forwarder.model.ledger import Paid, Proof, Underway, Unpaid
from forwarder.model.payout import (
    CALL_MAY_BE_UNDERWAY,
    Hold,
    Renew,
    TryAgain,
    after_refusal,
    may_renew,
    renewal_time,
)
from forwarder.model.refusal import Refusal
from forwarder.model.source import Source
from forwarder.store.moves import Insolvent
from forwarder.worker.clock import monotonic
from forwarder.worker.common import Common
from forwarder.worker.moves import Moves, Next
from forwarder.worker.wallet import Wallet

RENEWAL_PAUSE: Final = timedelta(seconds=10)


class OtherWallet(Exception):
    """A source has another wallet now than the one that may have paid."""


class Sending:
    """Pays payout invoices. Each step says what to go on with."""

    def __init__(self, common: Common, moves: Moves) -> None:
        self._wallets = common.wallets
        self._moves = moves
        self._clock = common.clock
        self._metrics = common.metrics
        # Blink sends one at a time from a wallet, and gives up on whoever waits for long.
        self._lanes = {source: asyncio.Lock() for source in Source}
        self._closed = False
        # What an earlier process sent may still be under way too.
        self._unsure_since = monotonic()

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
        try:
            sending = await self._moves.begin_sending(forward, wallet.id)
        except Insolvent:
            reason = f"more would be sent for this payment than wallet {wallet.id} has received"
            return await self._moves.hold(forward, reason)
        await failpoint("sending.kept")
        return None if sending is None else await self._pay(sending, wallet)

    async def _pay(self, forward: Forward, wallet: Wallet) -> Next:
        try:
            answer = await wallet.pay(_payout(forward))
            await failpoint("sending.answered")
        except NeverSent:
            return await self._moves.try_again(forward)
        except Refused as exc:
            answer = exc.refusal
        except CallError as exc:
            # Not known: a later try begins with the proof, as it does after a crash.
            self._unsure_since = monotonic()
            return await self._moves.postpone(forward, str(exc))
        if isinstance(answer, Refusal):
            return await self.prove(forward, answer)
        return await self._conclude(forward, answer, None)

    async def recover(self, forward: Forward) -> Next:
        """Found in `sending`: whoever paid has died, or never saw the answer."""
        if forward.lost_at != forward.sent_at:
            # Found just now; when it was sent is by the clock of another process, maybe.
            self._unsure_since = monotonic()
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

    def _may_renew(self, forward: Forward) -> bool:
        """By the date, which other processes share, and by a clock that never jumps."""
        waited = monotonic() - self._unsure_since >= CALL_MAY_BE_UNDERWAY.total_seconds()
        return may_renew(forward, self._clock()) and (waited or forward.lost_at is None)

    async def _ask(self, forward: Forward) -> Proof:
        await failpoint("sending.proving")
        wallet = await self._wallet(forward)
        proof = await wallet.proof(_payout(forward))
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
                return await self._moves.finish(forward, sent)
            case Underway():
                return await self._moves.postpone(forward, "its payment is under way")
            case Unpaid():
                return await self._unpaid(forward, refusal)
            case _:
                assert_never(proof)

    async def _unpaid(self, forward: Forward, refusal: Refusal | None) -> Next:
        if forward.refusal is not None:
            return await self._replace(forward)
        consequence = TryAgain() if refusal is None else after_refusal(forward, refusal)
        match consequence:
            case TryAgain():
                return await self._moves.try_again(forward)
            case Hold(reason, resumes):
                return await self._moves.hold(forward, reason, resumes=resumes)
            case Renew(dead):
                return await self._moves.condemn(forward, dead)
            case _:
                assert_never(consequence)

    async def _replace(self, forward: Forward) -> Next:
        """Give up a dead payout invoice, once no call that could pay it can be under way."""
        if self._may_renew(forward):
            return await self._moves.renew(forward)
        reason = "a payment of its refused payout invoice may be under way"
        until = max(renewal_time(forward, self._clock()), self._clock() + RENEWAL_PAUSE)
        return await self._moves.postpone(forward, reason, until)


def _payout(forward: Forward) -> PayoutInvoice:
    if forward.payout is None:
        raise AssertionError(f"a forward in {forward.state} has a payout invoice")
    return forward.payout
