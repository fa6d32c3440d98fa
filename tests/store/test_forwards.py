"""The moves of a forward: legal, ours, up to date, covered, or not made at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import permutations, product
from typing import cast

import pytest
from sqlalchemy import update

from forwarder.model.forward import MOVES, Forward, ForwardState, Verdict
from forwarder.model.lease import Lease
from forwarder.model.ledger import Paid
from forwarder.model.payment import Share
from forwarder.model.refusal import Refusal
from forwarder.model.units import Sats, WalletId
from forwarder.store import claims, forwards, journal, moves, payments, tables
from forwarder.store.database import Database, Transaction
from forwarder.store.moves import Insolvent, LostClaim
from tests.store.rows import (
    LEASE_LENGTH,
    NOW,
    WALLET,
    a_forward,
    a_hash,
    a_merchant,
    a_payment,
    claimed,
    everything,
    found,
    lease,
    payout,
    ready,
    stand,
)

LATER = NOW + timedelta(minutes=5)
REFUSAL = Refusal("NOT_FOUND", "no such invoice")

OTHER_WALLET = WalletId("22222222-2222-4222-8222-222222222222")

Q, I, S, F, H, R = ForwardState  # noqa: E741 - the states by their letters
Move = Callable[[Transaction, Forward, Lease], Awaitable[object]]

# Every move that the store offers, with the state it leads to.
MAKERS: dict[str, tuple[ForwardState | None, Move]] = {
    "invoiced": (I, lambda tx, it, me: moves.keep_invoice(tx, it, payout(99), WALLET, me)),
    "sending": (S, lambda tx, it, me: moves.begin_sending(tx, it, WALLET, me)),
    "forwarded": (F, lambda tx, it, me: moves.finish(tx, it, Paid("send-99"), me)),
    "unpaid": (I, lambda tx, it, me: moves.mark_unpaid(tx, it, LATER, me)),
    "found unpaid": (I, moves.find_unpaid),
    "renewed": (Q, lambda tx, it, me: moves.renew(tx, it, "fwd-99", me)),
    "held": (H, lambda tx, it, me: moves.hold(tx, it, "look at this", None, me)),
    "resumed": (None, moves.resume),  # to where its facts say that it stands
}
STAYS: dict[str, Move] = {
    "in doubt": lambda tx, it, me: moves.doubt(tx, it, Verdict.PAID, "paid", LATER, me),
    "absent": lambda tx, it, me: moves.note_absence(tx, it, LATER, me),
    "lost": moves.mark_lost,
    "postponed": lambda tx, it, me: moves.postpone(tx, it, "not now", LATER, me),
}


def leads_to(name: str, state: ForwardState) -> ForwardState:
    """Where a move leads from a state, be it legal or not."""
    return MAKERS[name][0] or (Q if state is Q else I)


def legal_moves(state: ForwardState) -> list[Move]:
    """The moves that may be made from a state, and what may be kept without a move."""
    names = [name for name in MAKERS if leads_to(name, state) in MOVES[state]]
    return [*(MAKERS[name][1] for name in names), *STAYS.values()]


async def unchanged(database: Database, before: object) -> bool:
    async with database.reading() as tx:
        return await everything(tx) == before


@pytest.mark.parametrize("name", MAKERS)
async def test_a_move_is_made_where_it_is_legal_and_nowhere_else(
    database: Database, name: str
) -> None:
    move = MAKERS[name][1]
    async with database.transaction() as tx:
        forward = await a_forward(tx)
    for state in ForwardState:
        async with database.transaction() as tx:
            standing = await stand(tx, forward, state)
            before = await everything(tx)
        if leads_to(name, state) in MOVES[state]:
            async with database.transaction() as tx:
                await move(tx, standing, lease())
                assert (await found(tx, forward)).state is leads_to(name, state)
                story = await journal.story(tx, forward.payment_hash)
            assert len(story) == len(before["journal"]) + 1
        else:
            with pytest.raises(AssertionError, match="never goes"):
                async with database.transaction() as tx:
                    await move(tx, standing, lease())
            assert await unchanged(database, before)


async def test_a_look_at_an_old_state_moves_nothing(database: Database) -> None:
    """Each pair of states: what one believes, and where the forward has been moved to since."""
    async with database.transaction() as tx:
        forward = await a_forward(tx)
    for known, actual in permutations(ForwardState, 2):
        async with database.transaction() as tx:
            believed = await stand(tx, forward, known)
            await stand(tx, forward, actual)
            before = await everything(tx)
        for move in legal_moves(known):
            with pytest.raises(LostClaim):
                async with database.transaction() as tx:
                    await move(tx, believed, lease())
        assert await unchanged(database, before), (known, actual)


async def test_whoever_has_lost_the_lease_moves_nothing(database: Database) -> None:
    async with database.transaction() as tx:
        forward = await a_forward(tx)
    for state, owner in product(ForwardState, ("you", None)):
        async with database.transaction() as tx:
            believed = await stand(tx, forward, state, owner)
            before = await everything(tx)
        for move in legal_moves(state):
            with pytest.raises(LostClaim):
                async with database.transaction() as tx:
                    await move(tx, believed, lease("me"))
        assert await unchanged(database, before), (state, owner)


@pytest.mark.parametrize("name", ["forwarded", "held", "invoiced", "renewed"])
async def test_of_two_who_make_a_move_at_once_one_has_lost(
    database: Database, other: Database, name: str
) -> None:
    """The same owner twice, such as a process that believes itself alone."""
    state = Q if name == "invoiced" else I
    async with database.transaction() as tx:
        forward = await stand(tx, await a_forward(tx), state)
    move = MAKERS[name][1]

    async def make(one: Database) -> bool:
        try:
            async with one.transaction() as tx:
                await move(tx, forward, lease())
        except LostClaim:
            return False
        return True

    assert sorted(await asyncio.gather(make(database), make(other))) == [False, True]


async def test_a_payout_invoice_is_kept_as_it_was_made(database: Database) -> None:
    forward = await ready(database)
    assert (forward.state, forward.payout, forward.tries) == (I, payout(1), 0)
    assert forward.due_at == NOW + LEASE_LENGTH
    async with database.reading() as tx:
        assert await found(tx, forward) == forward
        assert await forwards.is_payout(tx, payout(1).payment_hash)
        assert not await forwards.is_payout(tx, a_hash(1))


async def test_the_way_of_a_forward_is_told_step_by_step(database: Database) -> None:
    forward = await ready(database)
    async with database.transaction() as tx:
        sending = cast(Forward, await moves.begin_sending(tx, forward, WALLET, lease()))
        done = await moves.finish(tx, sending, Paid("send-1"), lease())
        payment = await a_payment(tx, 2)
        assert await forwards.all_settled(tx, payment)  # it has no forwards: nothing is open
        story = [one.step for one in await journal.story(tx, forward.payment_hash)]
    assert sending.sent_at == NOW
    assert (done.state, done.transaction_id, done.due_at) == (F, "send-1", None)
    assert story[-4:] == ["forward queued", "payout invoiced", "payout sending", "forwarded"]


async def test_a_payout_that_is_proven_unpaid_is_tried_again_with_the_same_invoice(
    database: Database,
) -> None:
    forward = await ready(database)
    async with database.transaction() as tx:
        sending = cast(Forward, await moves.begin_sending(tx, forward, WALLET, lease()))
        await moves.mark_unpaid(tx, sending, LATER, lease())
        again = await found(tx, forward)
        with pytest.raises(LostClaim):
            await moves.begin_sending(tx, again, WALLET, lease())
        assert await claims.next_due(tx, lease()) == LATER
    assert (again.state, again.payout, again.tries) == (I, payout(1), 1)
    assert again.refusal is None


async def test_a_dead_payout_invoice_is_given_up_for_one_of_a_new_name(database: Database) -> None:
    forward = await ready(database)
    async with database.transaction() as tx:
        sending = cast(Forward, await moves.begin_sending(tx, forward, WALLET, lease()))
        lost = await moves.mark_lost(tx, sending, lease())
        await moves.doubt(tx, lost, Verdict.REFUSED, str(REFUSAL), NOW, lease())
        (dead,) = await claims.claim(tx, lease(), 1)
        await moves.note_absence(tx, dead, NOW, lease())
        (dead,) = await claims.claim(tx, lease(), 1)
        later = lease(now=LATER)
        unpaid = await moves.find_unpaid(tx, dead, later)
        renewed = await moves.renew(tx, unpaid, "fwd-1-2", later)
    assert (lost.lost_at, dead.verdict, dead.refusal) == (NOW, Verdict.REFUSED, str(REFUSAL))
    assert (dead.state, dead.absent_at) == (S, NOW)  # a payment may have left, whatever was said
    assert (renewed.state, renewed.attempt, renewed.external_id) == (Q, 2, "fwd-1-2")
    assert (renewed.payout, renewed.sent_at, renewed.lost_at) == (None, None, None)
    assert (renewed.verdict, renewed.refusal, renewed.absent_at) == (None, None, None)
    assert (renewed.tries, renewed.asked_at) == (0, LATER)


@pytest.mark.parametrize("resume_at", [None, LATER])
async def test_a_held_forward_says_why_and_comes_back_to_where_its_facts_say(
    database: Database, resume_at: object
) -> None:
    without, with_invoice = await claimed(database, 1), await ready(database, 2)
    at = LATER if resume_at else None
    for forward, state in ((without, Q), (with_invoice, I)):
        async with database.transaction() as tx:
            held = await moves.hold(tx, forward, "too little", at, lease())
            assert (held.state, held.held_reason, held.due_at) == (H, "too little", at)
            assert held.tries == forward.tries + 1
            mine = await stand(tx, forward, H, payout_hash=None) if state is Q else held
            mine = await stand(tx, forward, H) if state is I else mine
            resumed = await moves.resume(tx, mine, lease(now=LATER))
        assert (resumed.state, resumed.held_reason) == (state, None)
        assert resumed.asked_at == NOW


async def test_what_is_postponed_stays_where_it_is_and_is_given_back(database: Database) -> None:
    forward = await claimed(database)
    async with database.transaction() as tx:
        await moves.postpone(tx, forward, "Blink is away", LATER, lease())
        story = await journal.story(tx, forward.payment_hash)
        (again,) = await claims.claim(tx, lease("you", LATER), 1)
    assert (again.state, again.tries) == (Q, 1)
    assert story[-1].detail["reason"] == "Blink is away"


# The lane: Blink sends one at a time from a wallet.


async def test_one_forward_at_a_time_is_sent(database: Database) -> None:
    first, second = await ready(database, 1, "me"), await ready(database, 2, "you")
    async with database.transaction() as tx:
        sending = await moves.begin_sending(tx, first, WALLET, lease("me"))
        assert sending is not None
    async with database.transaction() as tx:
        assert await moves.begin_sending(tx, second, WALLET, lease("you")) is None
        assert (await found(tx, second)).state is I
    async with database.transaction() as tx:
        await moves.finish(tx, sending, Paid("send-1"), lease("me"))
    async with database.transaction() as tx:
        assert await moves.begin_sending(tx, second, WALLET, lease("you")) is not None


async def test_the_lane_admits_one_of_many_who_come_at_once(
    database: Database, other: Database
) -> None:
    waiting = [await ready(database, n, f"owner-{n}") for n in range(8)]

    async def send(n: int) -> Forward | None:
        async with (database, other)[n % 2].transaction() as tx:
            return await moves.begin_sending(tx, waiting[n], WALLET, lease(f"owner-{n}"))

    admitted = await asyncio.gather(*(send(n) for n in range(8)))
    assert len([forward for forward in admitted if forward is not None]) == 1


async def test_the_lane_is_taken_from_the_moment_of_asking(
    database: Database, other: Database
) -> None:
    first, second = await ready(database, 1, "me"), await ready(database, 2, "you")

    async def send() -> Forward | None:
        async with other.transaction() as tx:
            return await moves.begin_sending(tx, second, WALLET, lease("you"))

    async with database.transaction() as tx:
        assert await moves.begin_sending(tx, first, WALLET, lease("me")) is not None
        yours = asyncio.create_task(send())
        await asyncio.sleep(0.1)
        assert not yours.done()
    assert await yours is None


async def test_a_dead_owner_does_not_keep_the_lane(database: Database) -> None:
    first, second = await ready(database, 1, "dead"), await ready(database, 2, "me")
    later = NOW + LEASE_LENGTH
    async with database.transaction() as tx:
        await moves.begin_sending(tx, first, WALLET, lease("dead"))
        await claims.keep_leases(tx, lease("me", later), [first.id, second.id])
    async with database.transaction() as tx:
        assert await moves.begin_sending(tx, second, WALLET, lease("me", later)) is not None


async def test_a_payment_that_blink_has_not_settled_yet_frees_the_lane(database: Database) -> None:
    first, second = await ready(database, 1), await ready(database, 2)
    async with database.transaction() as tx:
        sending = cast(Forward, await moves.begin_sending(tx, first, WALLET, lease()))
        await moves.postpone(tx, sending, "under way", LATER, lease())
        assert await moves.begin_sending(tx, second, WALLET, lease()) is not None


# Solvency: no payment pays out more than it has brought in.


async def shares(database: Database, received: int, *amounts: int) -> list[Forward]:
    """A payment with forwards of these amounts, each with its payout invoice."""
    async with database.transaction() as tx:
        payment = await a_payment(tx, 1, received)
        merchant = await a_merchant(tx)
        for position, sats in enumerate(amounts):
            share = Share(position, merchant.id, Sats(sats))
            await forwards.add(tx, payment, share, f"fwd-{position}", NOW)
        taken = await claims.claim(tx, lease(), len(amounts))
        return [await moves.keep_invoice(tx, one, payout(one.id), WALLET, lease()) for one in taken]


@pytest.mark.parametrize("amounts", [(1_001,), (600, 401), (1_000, 1), (400, 400, 400)])
async def test_more_than_was_received_is_never_sent(
    database: Database, amounts: tuple[int, ...]
) -> None:
    *covered, last = await shares(database, 1_000, *amounts)
    for forward in covered:
        async with database.transaction() as tx:
            sending = cast(Forward, await moves.begin_sending(tx, forward, WALLET, lease()))
            await moves.finish(tx, sending, Paid(f"send-{forward.id}"), lease())
    with pytest.raises(Insolvent):
        async with database.transaction() as tx:
            await moves.begin_sending(tx, last, WALLET, lease())
    async with database.reading() as tx:
        assert (await found(tx, last)).state is I


async def test_what_another_wallet_has_received_is_not_sent_from_this_one(
    database: Database,
) -> None:
    (forward,) = await shares(database, 1_000, 1_000)
    with pytest.raises(Insolvent):
        async with database.transaction() as tx:
            await moves.begin_sending(tx, forward, OTHER_WALLET, lease())
    async with database.transaction() as tx:
        assert await moves.begin_sending(tx, forward, WALLET, lease()) is not None


async def test_of_an_invoice_from_before_wallets_were_kept_it_is_not_asked(
    database: Database,
) -> None:
    (forward,) = await shares(database, 1_000, 1_000)
    async with database.transaction() as tx:
        await tx.execute(update(tables.invoices).values(wallet_id=None))
        assert await moves.begin_sending(tx, forward, OTHER_WALLET, lease()) is not None


async def test_all_that_was_received_is_sent(database: Database) -> None:
    for forward in await shares(database, 1_000, 600, 399, 1):
        async with database.transaction() as tx:
            sending = cast(Forward, await moves.begin_sending(tx, forward, WALLET, lease()))
            await moves.finish(tx, sending, Paid(f"send-{forward.id}"), lease())


@pytest.mark.parametrize("state", [S, F, R])
async def test_money_that_may_have_left_counts_as_sent(
    database: Database, state: ForwardState
) -> None:
    first, second = await shares(database, 1_000, 600, 600)
    async with database.transaction() as tx:
        await stand(tx, first, state, None)  # nobody holds the lane
    with pytest.raises(Insolvent):
        async with database.transaction() as tx:
            await moves.begin_sending(tx, second, WALLET, lease())


@pytest.mark.parametrize("state", [Q, I, H])
async def test_money_that_has_not_left_does_not_count(
    database: Database, state: ForwardState
) -> None:
    first, second = await shares(database, 1_000, 600, 600)
    async with database.transaction() as tx:
        await stand(tx, first, state, None)
        assert await moves.begin_sending(tx, second, WALLET, lease()) is not None


async def test_a_payment_is_settled_with_its_last_forward(database: Database) -> None:
    first, second = await shares(database, 1_000, 600, 400)
    async with database.transaction() as tx:
        payment = await payments.find(tx, a_hash(1))
        assert payment is not None
        assert not await forwards.all_settled(tx, payment)
        await stand(tx, first, F)
        assert not await forwards.all_settled(tx, payment)
        await stand(tx, second, H)
        assert not await forwards.all_settled(tx, payment)
        await stand(tx, second, R)
        assert await forwards.all_settled(tx, payment)
