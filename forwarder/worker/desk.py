"""What an operator can do: try again what is held or waits, and settle by hand."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from forwarder.failpoints import failpoint
from forwarder.model.actor import Actor
from forwarder.model.forward import OPEN, Forward, ForwardState
from forwarder.model.units import PaymentHash
from forwarder.store import forwards, interventions, payments
from forwarder.worker.common import Common
from forwarder.worker.metrics import End
from forwarder.worker.moves import complete

log = structlog.get_logger(__name__)

_REPLAYABLE = OPEN | {ForwardState.HELD}


class DeskError(Exception):
    """An operator asked for what cannot be done."""


class NoSuchPayment(DeskError):
    """No payment of that hash is kept."""


class NothingHeld(DeskError):
    """No forward of that payment is held, so there is nothing to settle by hand."""


class Desk:
    """The operator's side of the worker. `actor`, who asks from where, goes into the journal."""

    def __init__(self, common: Common) -> None:
        self._database = common.database
        self._notifier = common.notifier
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
        """Record that a person has settled what is held, and how: final.

        Raises `NoSuchPayment`, `NothingHeld`.
        """
        known = await self._forwards(payment_hash)
        held = [forward for forward in known if forward.state is ForwardState.HELD]
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
