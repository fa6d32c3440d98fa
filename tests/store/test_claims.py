"""Leases: one owner at a time works on a forward, and a dead one does not keep it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from forwarder.model.forward import Forward, ForwardState
from forwarder.model.payment import Share
from forwarder.model.units import Sats, WalletId
from forwarder.store import claims, forwards, moves
from forwarder.store.database import Database
from tests.store.rows import (
    LEASE_LENGTH,
    NOW,
    a_forward,
    a_merchant,
    a_payment,
    claimed,
    found,
    lease,
    payout,
    stand,
)

SECOND = timedelta(seconds=1)


async def queue(database: Database, count: int) -> None:
    async with database.transaction() as tx:
        for n in range(count):
            await a_forward(tx, n)


async def take(database: Database, owner: str, limit: int, late: float = 0) -> list[Forward]:
    async with database.transaction() as tx:
        return await claims.claim(tx, lease(owner, NOW + timedelta(seconds=late)), limit)


async def test_a_new_forward_is_due_at_once(database: Database) -> None:
    async with database.reading() as tx:
        assert await claims.next_due(tx, lease()) is None
    await queue(database, 1)
    async with database.reading() as tx:
        assert await claims.next_due(tx, lease()) == NOW


async def test_a_claimed_forward_is_nobody_elses_until_the_lease_has_run_out(
    database: Database,
) -> None:
    await queue(database, 1)
    assert len(await take(database, "me", 5)) == 1
    assert await take(database, "you", 5) == []
    assert await take(database, "me", 5) == []
    async with database.reading() as tx:
        assert await claims.next_due(tx, lease()) == NOW + LEASE_LENGTH
    assert await take(database, "you", 5, LEASE_LENGTH.total_seconds() - 1) == []
    assert len(await take(database, "you", 5, LEASE_LENGTH.total_seconds())) == 1


async def test_the_oldest_are_taken_first_and_no_more_than_wanted(database: Database) -> None:
    await queue(database, 12)
    first = await take(database, "me", 5)
    second = await take(database, "me", 5)
    third = await take(database, "me", 5)
    ids = [forward.id for forward in (*first, *second, *third)]
    assert [len(first), len(second), len(third)] == [5, 5, 2]
    assert ids == sorted(ids)


async def test_many_who_claim_at_once_share_the_forwards_among_them(
    database: Database, other: Database
) -> None:
    await queue(database, 40)
    taken = await asyncio.gather(
        *(take((database, other)[n % 2], f"owner-{n}", 3) for n in range(20))
    )
    ids = [forward.id for claims in taken for forward in claims]
    assert len(ids) == len(set(ids))
    left = await take(database, "last", 100)
    assert len(ids) + len(left) == 40


async def test_a_claim_that_is_not_committed_yet_is_not_claimed_twice(
    database: Database, other: Database
) -> None:
    await queue(database, 2)
    async with database.transaction() as tx:
        (mine,) = await claims.claim(tx, lease("me"), 1)
        yours = asyncio.create_task(take(other, "you", 5))
        await asyncio.sleep(0.1)
    assert [forward.id for forward in await yours] == [mine.id + 1]


async def test_postgres_makes_no_claim_wait_for_another(
    database: Database, other: Database
) -> None:
    """On SQLite there is one writer at a time, and they queue."""
    if database.is_embedded:
        return
    await queue(database, 2)
    async with database.transaction() as tx:
        (mine,) = await claims.claim(tx, lease("me"), 1)
        async with asyncio.timeout(2):
            (yours,) = await take(other, "you", 5)
    assert mine.id != yours.id


async def test_a_lease_is_prolonged_by_its_owner_and_by_nobody_else(database: Database) -> None:
    forward = await claimed(database)
    async with database.transaction() as tx:
        await claims.keep_leases(tx, lease("you", NOW + 30 * SECOND), [forward.id])
        assert (await found(tx, forward)).due_at == NOW + LEASE_LENGTH
        await claims.keep_leases(tx, lease("me", NOW + 30 * SECOND), [forward.id])
        assert (await found(tx, forward)).due_at == NOW + 30 * SECOND + LEASE_LENGTH
    assert await take(database, "you", 5, LEASE_LENGTH.total_seconds()) == []


async def test_a_lease_of_what_is_over_is_not_prolonged(database: Database) -> None:
    forward = await claimed(database)
    async with database.transaction() as tx:
        await stand(tx, forward, ForwardState.FORWARDED, due_at=None)
        await claims.keep_leases(tx, lease("me"), [forward.id])
        await claims.drop_leases(tx, NOW)
        assert (await found(tx, forward)).due_at is None


async def test_leases_are_given_back_by_their_owner_alone(database: Database) -> None:
    mine, yours = await claimed(database, 1, "me"), await claimed(database, 2, "you")
    async with database.transaction() as tx:
        await claims.drop_leases(tx, NOW, "me")
    (free,) = await take(database, "third", 5)
    assert free.id == mine.id
    async with database.transaction() as tx:
        await claims.drop_leases(tx, NOW)
    assert [forward.id for forward in await take(database, "fourth", 5)] == [mine.id, yours.id]


async def test_giving_leases_back_makes_nothing_due_that_waits(database: Database) -> None:
    forward = await claimed(database)
    later = NOW + timedelta(minutes=5)
    async with database.transaction() as tx:
        await moves.postpone(tx, forward, "not now", later, lease())
        await claims.drop_leases(tx, NOW)
        await claims.drop_leases(tx, NOW, "me")
        assert await claims.next_due(tx, lease()) == later


async def test_who_claims_a_queued_forward_is_about_to_ask_and_that_is_kept(
    database: Database,
) -> None:
    first = await claimed(database)
    assert first.asked_at == NOW
    (second,) = await take(database, "you", 1, 90)
    assert second.asked_at == NOW  # from the first time on: an invoice may have been made then
    async with database.transaction() as tx:
        current = lease("you", NOW + timedelta(seconds=90))
        await moves.keep_invoice(tx, second, payout(), WalletId("w"), current)
        await claims.drop_leases(tx, NOW)
    (third,) = await take(database, "me", 1, 200)
    assert third.asked_at == NOW


async def test_the_same_share_is_queued_once(database: Database) -> None:
    async with database.transaction() as tx:
        payment = await a_payment(tx)
        merchant = await a_merchant(tx)
        for name in ("fwd-1", "fwd-2"):
            await forwards.add(tx, payment, Share(0, merchant.id, Sats(1_000)), name, NOW)
        assert len(await forwards.of_payment(tx, payment.payment_hash)) == 1
