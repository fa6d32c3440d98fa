"""What an operator can do: try again what is held or waits, settle by hand, close findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

import structlog

from forwarder.failpoints import failpoint
from forwarder.model.actor import Actor
from forwarder.model.finding import Finding
from forwarder.model.forward import OPEN, Forward, ForwardState
from forwarder.model.ledger import Paid, Proof, Underway, Unpaid
from forwarder.model.payout import LEDGER_MAY_LAG
from forwarder.model.units import PaymentHash, iso
from forwarder.store import findings, forwards, interventions, payments
from forwarder.worker.common import Common
from forwarder.worker.metrics import End
from forwarder.worker.moves import complete
from forwarder.worker.wallet import CLOCKS_MAY_DIFFER, Wallet

log = structlog.get_logger(__name__)

_REPLAYABLE = OPEN | {ForwardState.HELD}


class DeskError(Exception):
    """An operator asked for what cannot be done."""


class NoSuchPayment(DeskError):
    """No payment of that hash is kept."""


class NothingHeld(DeskError):
    """No forward of that payment is held, so there is nothing to settle by hand."""


class NoSuchFinding(DeskError):
    """No finding of that id is kept."""


class ClosedBefore(DeskError):
    """That finding is closed already, and its note stays as it is."""


class AlreadyForwarded(DeskError):
    """The ledger shows the payment that an operator was about to settle by hand."""


class NotYetSure(DeskError):
    """The ledger may not show yet what was sent. `sure_at` is from when on it can be asked."""

    def __init__(self, sure_at: datetime) -> None:
        self.sure_at = sure_at
        super().__init__(
            f"this was sent a short while ago, and its ledger may show that late: ask again at "
            f"{iso(sure_at)}; nothing was changed, so pay nothing by hand yet"
        )


class Desk:
    """The operator's side of the worker. `actor`, who asks from where, goes into the journal."""

    def __init__(self, common: Common) -> None:
        self._database = common.database
        self._notifier = common.notifier
        self._wallets = common.wallets
        self._keyring = common.keyring
        self._payout_bell = common.bells.payout
        self._clock = common.clock
        self._metrics = common.metrics

    async def replay(
        self, payment_hash: PaymentHash, actor: Actor, *, dry_run: bool = False
    ) -> list[Forward]:
        """Try a payment's open and held forwards again, now; returns those that this moves.

        Safe to press twice, and from two places: what is being worked on is left alone, and a try
        begins with the proof where one is due. Raises `NoSuchPayment`.
        """
        chosen = [f for f in await self._forwards(payment_hash) if f.state in _REPLAYABLE]
        return await self._replay(chosen, actor, dry_run)

    async def replay_all(self, actor: Actor, *, dry_run: bool = False) -> list[Forward]:
        """Try everything again that is held."""
        async with self._database.reading() as tx:
            chosen = await forwards.all_held(tx)
        return await self._replay(chosen, actor, dry_run)

    async def resolve(self, payment_hash: PaymentHash, note: str, actor: Actor) -> list[Forward]:
        """Record that a person settles what is held, and how: final.

        The source's ledger is asked first, for what it has paid nobody is to pay by hand. Raises
        `NoSuchPayment`, `NothingHeld`, `AlreadyForwarded`, `NotYetSure`, `CallError`.
        """
        known = await self._forwards(payment_hash)
        held = [forward for forward in known if forward.state is ForwardState.HELD]
        for forward in held:
            await self._check_unpaid(forward)
        now = self._clock()
        async with self._database.transaction() as tx:
            done = [f for f in held if await interventions.resolve(tx, f, note, actor, now)]
            if not done:
                raise NothingHeld
            told = await complete(tx, done[-1], now)
        for forward in done:
            self._metrics.ended(forward, End.RESOLVED, now)
        log.info("settled by hand", payment_hash=payment_hash, actor=actor.value)
        await self._notifier.deliver(told)
        return done

    async def close_finding(self, finding_id: int, note: str, actor: Actor) -> Finding:
        """Record what a person knows of a finding. Raises `NoSuchFinding`, `ClosedBefore`."""
        now = self._clock()
        async with self._database.transaction() as tx:
            known = await findings.find(tx, finding_id)
            if known is None:
                raise NoSuchFinding
            is_closed = await findings.close(tx, known, note, actor, now)
        if not is_closed:
            raise ClosedBefore
        log.info("a finding was closed", finding=finding_id, actor=actor.value)
        return replace(known, closed_at=now, note=note)

    async def _check_unpaid(self, forward: Forward) -> None:
        """Make sure that no payment of ours has left, or may have."""
        wallet = await self._wallets.of(forward.source)
        if forward.sent_from in (None, wallet.id):
            await self._compare(forward, await self._proof(forward, wallet))
        if forward.sent_at is None:
            return
        sure_at = forward.sent_at + LEDGER_MAY_LAG
        if self._clock() < sure_at:
            raise NotYetSure(sure_at)

    async def _proof(self, forward: Forward, wallet: Wallet) -> Proof:
        """What the ledger has of it, by its name where its payout invoice was lost."""
        if forward.payout is not None:
            return await wallet.proof(forward.payout)
        stems = self._keyring.forward_prefixes(forward.payment_hash, forward.position)
        return await wallet.proof_of_name(stems, forward.created_at - CLOCKS_MAY_DIFFER)

    async def _compare(self, forward: Forward, proof: Proof) -> None:
        match proof:
            case Paid() as sent:
                await self._settle(forward, sent)
                raise AlreadyForwarded
            case Underway():
                raise NotYetSure(self._clock() + LEDGER_MAY_LAG)
            case Unpaid():
                pass
            case _:
                assert_never(proof)

    async def _settle(self, forward: Forward, sent: Paid) -> None:
        """Keep that it was forwarded: the ledger shows it."""
        now = self._clock()
        async with self._database.transaction() as tx:
            if not await interventions.find_paid(tx, forward, sent, now):
                return
            told = await complete(tx, forward, now)
        self._metrics.ended(forward, End.FOUND_PAID, now)
        await self._notifier.deliver(told)

    async def _replay(
        self, chosen: Sequence[Forward], actor: Actor, dry_run: bool
    ) -> list[Forward]:
        if dry_run:
            return list(chosen)
        await failpoint("desk.chosen")
        now = self._clock()
        async with self._database.transaction() as tx:
            moved = [f for f in chosen if await interventions.replay(tx, f, actor, now)]
        self._payout_bell.ring()
        for forward in moved:
            log.info("a replay begins", payment_hash=forward.payment_hash, actor=actor.value)
        return moved

    async def _forwards(self, payment_hash: PaymentHash) -> list[Forward]:
        async with self._database.reading() as tx:
            if await payments.find(tx, payment_hash) is None:
                raise NoSuchPayment
            return await forwards.of_payment(tx, payment_hash)
