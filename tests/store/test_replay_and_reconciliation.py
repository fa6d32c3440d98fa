"""What persons and the reconciliation keep, and what only one process may do at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from forwarder.model import message
from forwarder.model.actor import Actor
from forwarder.model.forward import Forward, ForwardState
from forwarder.model.ledger import Direction
from forwarder.model.source import Source
from forwarder.model.units import Sats, WalletId
from forwarder.store import (
    claims,
    forwards,
    interventions,
    invoices,
    journal,
    leases,
    locks,
    messages,
    moves,
    reconciliation,
    secrets,
)
from forwarder.store.database import Database
from forwarder.store.reconciliation import LastRun
from forwarder.store.secrets import ForeignSecret
from tests.model.samples import entry
from tests.store.rows import (
    NOW,
    WALLET,
    a_forward,
    an_invoice,
    claimed,
    found,
    lease,
    ready,
    stand,
)

LATER: Final = NOW + timedelta(minutes=5)
Q, I, S, F, H, R = ForwardState  # noqa: E741 - the states by their letters


async def held(database: Database, n: int = 1) -> Forward:
    async with database.transaction() as tx:
        return await stand(tx, await a_forward(tx, n), H, None, due_at=None)


async def test_what_is_held_is_listed_and_can_be_replayed(database: Database) -> None:
    first, second = await held(database, 1), await held(database, 2)
    async with database.transaction() as tx:
        assert await forwards.all_held(tx) == [first, second]
        assert await interventions.replay(tx, first, Actor.HTTP, LATER)
        assert (await found(tx, first)).due_at == LATER
        story = await journal.story(tx, first.payment_hash)
        (taken,) = await claims.claim(tx, lease(now=LATER), 5)
    assert taken.id == first.id
    assert (story[-1].step, story[-1].actor) == ("replayed", Actor.HTTP)


async def test_what_is_held_can_be_resolved_once_with_a_note(database: Database) -> None:
    forward = await held(database)
    async with database.transaction() as tx:
        assert await interventions.resolve(tx, forward, "paid in cash", Actor.HTTP, NOW)
        assert not await interventions.resolve(tx, forward, "again", Actor.HTTP, NOW)
        assert not await interventions.replay(tx, forward, Actor.HTTP, NOW)
        done = await found(tx, forward)
        story = await journal.story(tx, forward.payment_hash)
    assert (done.state, done.due_at) == (R, None)
    assert story[-1].detail["note"] == "paid in cash"


async def test_what_somebody_works_on_is_left_alone(database: Database) -> None:
    forward = await claimed(database)
    send = entry(id="send", direction=Direction.SEND, amount=-1_000)
    async with database.transaction() as tx:
        assert not await interventions.replay(tx, forward, Actor.HTTP, NOW)
        assert not await interventions.settle(tx, forward, send, NOW)
        assert await interventions.settle(tx, forward, send, LATER)  # its owner has died
        done = await found(tx, forward)
    assert (done.state, done.transaction_id, done.due_at) == (F, "send", None)


async def test_a_forward_is_found_by_its_payout_its_name_and_any_attempt(
    database: Database,
) -> None:
    forward = await ready(database)
    assert forward.payout is not None
    name = "fwd-stem-0-3"
    async with database.transaction() as tx:
        mine = await moves.renew(tx, forward, name, lease())
        again = await moves.keep_invoice(tx, mine, forward.payout, WALLET, lease())
        hashes = [forward.payout.payment_hash]
        assert await forwards.paying(tx, hashes) == {hashes[0]: again}
        assert await forwards.named(tx, [name, "other"]) == {name: again}
        assert await forwards.of_stem(tx, "fwd-stem-0-") == again
        assert await forwards.of_stem(tx, "fwd-other-0-") is None


async def test_a_lease_can_be_given_back_by_its_owner_without_a_failed_try(
    database: Database,
) -> None:
    forward = await claimed(database)
    async with database.transaction() as tx:
        await claims.give_back(tx, forward.id, LATER, lease("you"))
        assert (await found(tx, forward)).due_at != LATER
        await claims.give_back(tx, forward.id, LATER, lease())
        assert (await found(tx, forward)).due_at == LATER
        (again,) = await claims.claim(tx, lease(now=LATER), 1)
        await moves.set_aside(tx, again, LATER, lease())
        aside = await found(tx, forward)
        assert (aside.due_at, aside.tries) == (LATER, 0)
        assert await claims.next_due(tx, lease()) == LATER


async def test_a_due_time_of_a_clock_that_ran_ahead_is_not_waited_for(database: Database) -> None:
    forward = await claimed(database)
    async with database.transaction() as tx:
        await moves.postpone(tx, forward, "x", NOW + timedelta(days=3), lease())
        assert await claims.next_due(tx, lease()) == NOW
        (taken,) = await claims.claim(tx, lease(), 5)
    assert taken.id == forward.id


async def test_what_an_owner_is_still_working_on_is_not_claimed_by_itself(
    database: Database,
) -> None:
    forward = await claimed(database)
    async with database.transaction() as tx:
        assert await claims.claim(tx, lease(now=LATER), 5, [forward.id]) == []


async def test_one_owner_has_a_turn_until_it_ends_or_is_given_back(database: Database) -> None:
    end = NOW + timedelta(seconds=15)
    async with database.transaction() as tx:
        assert await leases.take(tx, "watch", "me", NOW, end)
        assert not await leases.take(tx, "watch", "you", NOW, end)
        assert await leases.take(tx, "other", "you", NOW, end)
        assert await leases.take(tx, "watch", "me", NOW, end)
        assert await leases.take(tx, "watch", "you", end, end + timedelta(seconds=15))
        await leases.give_back(tx, "watch", "me")  # it is no longer theirs
        assert not await leases.take(tx, "watch", "me", end, end)
        await leases.give_back(tx, "watch", "you")
        assert await leases.take(tx, "watch", "me", end, end)


async def test_of_many_who_want_a_turn_at_once_one_has_it(
    database: Database, other: Database
) -> None:
    async def take(n: int) -> bool:
        async with (database, other)[n % 2].transaction() as tx:
            return await leases.take(tx, "watch", f"owner-{n}", NOW, LATER)

    assert sum(await asyncio.gather(*(take(n) for n in range(8)))) == 1


async def test_a_lock_keeps_others_out_until_the_transaction_ends(
    database: Database, other: Database
) -> None:
    order: list[str] = []

    async def wait() -> None:
        async with other.transaction() as tx:
            await locks.hold(tx, "name")
            order.append("other")

    async with database.transaction() as tx:
        await locks.hold(tx, "name")
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.1)
        order.append("first")
    await waiting
    assert order == ["first", "other"]


async def test_a_database_knows_its_secret(database: Database) -> None:
    async with database.transaction() as tx:
        await secrets.lead(tx, ["old"], NOW)
        await secrets.lead(tx, ["new", "old"], NOW)
        await secrets.lead(tx, ["new"], NOW)
        with pytest.raises(ForeignSecret):
            await secrets.lead(tx, ["foreign"], NOW)


async def test_the_last_run_is_kept(database: Database) -> None:
    async with database.transaction() as tx:
        assert await reconciliation.last_run(tx, Source.BLINK) is None
        assert await reconciliation.overall(tx) is None
        for run in (LastRun(None, NOW, 0), LastRun(NOW, LATER, -5)):
            await reconciliation.keep_run(tx, Source.BLINK, run)
            assert await reconciliation.last_run(tx, Source.BLINK) == run


async def test_each_source_has_a_last_run_and_all_of_them_have_one(database: Database) -> None:
    async with database.transaction() as tx:
        await reconciliation.keep_run(tx, Source.BLINK, LastRun(NOW, LATER, 5))
        await reconciliation.keep_run(tx, Source.PHOENIXD, LastRun(NOW, NOW, 2))
        assert await reconciliation.last_run(tx, Source.BLINK) == LastRun(NOW, LATER, 5)
        assert await reconciliation.last_run(tx, Source.PHOENIXD) == LastRun(NOW, NOW, 2)
        assert await reconciliation.overall(tx) == LastRun(NOW, NOW, 7)


async def test_the_first_sale_is_known(database: Database) -> None:
    async with database.transaction() as tx:
        assert await invoices.first_issued(tx, Source.BLINK, WALLET) is None
        first = await an_invoice(tx, 1)
        await an_invoice(tx, 2)
        assert await invoices.first_issued(tx, Source.BLINK, WALLET) == first.issued_at
        assert await invoices.first_issued(tx, Source.PHOENIXD, WALLET) is None
        assert await invoices.first_issued(tx, Source.BLINK, WalletId("another")) is None


async def test_a_refund_is_booked_once(database: Database) -> None:
    back = entry(id="back", amount=700)
    async with database.transaction() as tx:
        forward = await a_forward(tx)
        assert await reconciliation.refunded(tx) == 0
        assert await reconciliation.book_refund(tx, back, forward, NOW)
        assert not await reconciliation.book_refund(tx, back, forward, NOW)
        assert await reconciliation.book_refund(tx, replace(back, id="b", amount=1), forward, NOW)
        assert await reconciliation.refunded(tx) == 701


async def test_messages_are_read_from_a_number_on(database: Database) -> None:
    async with database.transaction() as tx:
        assert await messages.last_seq(tx) == 0
        invoice = await an_invoice(tx)
        told = await invoices.pay(tx, invoice, Sats(1_000), NOW)
        seq = await messages.last_seq(tx)
        assert await messages.since(tx, 0) == [(seq, told)]
        await messages.add(tx, message.forwarded(invoice, Sats(1_000), NOW))
        ((later, last),) = await messages.since(tx, seq)
        assert later > seq
        assert last.body["type"] == "forwarded"
