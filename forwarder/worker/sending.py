"""The second half of a forward: its payout invoice is paid, once, and that is proven."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from forwarder.blink.errors import BlinkError, NeverSent, Refused
from forwarder.model.forward import Forward, PayoutInvoice
from forwarder.model.ledger import Paid, Proof, Underway, Unpaid, proof_of
from forwarder.model.payout import Hold, Renew, TryAgain, after_refusal, may_renew, renewal_time
from forwarder.model.refusal import Refusal
from forwarder.store.forwards import Insolvent
from forwarder.worker.accounts import Accounts
from forwarder.worker.clock import Clock
from forwarder.worker.moves import Moves, Next

LANE_WAIT: Final = timedelta(seconds=0.2)


class Sending:
    """Pays payout invoices. Each step says what to go on with."""

    def __init__(self, accounts: Accounts, moves: Moves, clock: Clock) -> None:
        self._accounts = accounts
        self._moves = moves
        self._clock = clock
        # Blink sends one at a time from a wallet, and gives up on whoever waits for long.
        self._lane = asyncio.Lock()
        self._closed = False

    def close(self) -> None:
        """Let no further payment leave."""
        self._closed = True

    async def send(self, forward: Forward) -> Next:
        """Pay the payout invoice, and go by Blink's answer."""
        async with self._lane:
            if self._closed:
                return None
            try:
                sending = await self._moves.begin_sending(forward)
            except Insolvent:
                reason = "more would be sent for this payment than was received"
                return await self._moves.hold(forward, reason)
            if sending is None:
                until = self._clock() + LANE_WAIT
                return await self._moves.postpone(forward, "another process is sending", until)
            return await self._pay(sending)

    async def _pay(self, forward: Forward) -> Next:
        try:
            pos = await self._accounts.pos()
            request = _payout(forward).payment_request
            answer = await pos.client.pay_invoice(pos.wallet_id, request)
        except NeverSent:
            return await self._moves.try_again(forward)
        except Refused as exc:
            answer = exc.refusal
        except BlinkError as exc:
            # Not known: a later try begins with the proof, as it does after a crash.
            return await self._moves.postpone(forward, str(exc))
        if isinstance(answer, Refusal):
            return await self.prove(forward, answer)
        return await self._conclude(forward, answer, None)

    async def recover(self, forward: Forward) -> Next:
        """Found in `sending`: whoever paid has died, or never saw the answer."""
        return await self.prove(await self._moves.lose(forward), None)

    async def prove(self, forward: Forward, refusal: Refusal | None) -> Next:
        """Ask Blink whether it has our SEND, whatever its answer was, if there was one."""
        try:
            proof = await self._ask(forward)
        except BlinkError as exc:
            return await self._moves.postpone(forward, str(exc))
        return await self._conclude(forward, proof, refusal)

    async def give_up(self, forward: Forward) -> Next:
        """Replace a dead payout invoice, after a last look, and when no call can be under way."""
        try:
            proof = await self._ask(forward)
        except BlinkError as exc:
            return await self._moves.postpone(forward, str(exc))
        if isinstance(proof, Paid):
            return await self._moves.finish(forward, proof.transaction_id)
        now = self._clock()
        if isinstance(proof, Underway) or not may_renew(forward, now):
            reason = "a payment of its refused payout invoice may be under way"
            until = max(renewal_time(forward, now), now + LANE_WAIT)
            return await self._moves.postpone(forward, reason, until)
        return await self._moves.renew(forward)

    async def _ask(self, forward: Forward) -> Proof:
        pos = await self._accounts.pos()
        entries = await pos.client.entries_of(pos.wallet_id, _payout(forward).payment_hash)
        return proof_of(entries)

    async def _conclude(self, forward: Forward, proof: Proof, refusal: Refusal | None) -> Next:
        match proof:
            case Paid(transaction_id):
                return await self._moves.finish(forward, transaction_id)
            case Underway():
                return await self._moves.postpone(forward, "its payment is under way at Blink")
            case Unpaid():
                return await self._unpaid(forward, refusal)

    async def _unpaid(self, forward: Forward, refusal: Refusal | None) -> Next:
        match TryAgain() if refusal is None else after_refusal(forward, refusal):
            case TryAgain():
                return await self._moves.try_again(forward)
            case Hold(reason, resumes):
                return await self._moves.hold(forward, reason, resumes=resumes)
            case Renew(dead):
                return await self._moves.condemn(forward, dead)


def _payout(forward: Forward) -> PayoutInvoice:
    if forward.payout is None:
        raise AssertionError(f"a forward in {forward.state} has a payout invoice")
    return forward.payout
