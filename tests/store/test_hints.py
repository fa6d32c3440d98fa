"""What webhooks have told: kept once, and asked about until it is known."""

from __future__ import annotations

from datetime import timedelta

from forwarder.model.payment import Witness
from forwarder.model.source import Source
from forwarder.store import claims, hints, payments
from forwarder.store.database import Database
from tests.store.rows import NOW, a_forward, a_hash, a_merchant, lease, receipt

LATER = NOW + timedelta(minutes=1)


async def test_a_hint_is_kept_once_for_each_source(database: Database) -> None:
    async with database.transaction() as tx:
        assert await hints.keep(tx, Source.PHOENIXD, a_hash(1), NOW)
        assert not await hints.keep(tx, Source.PHOENIXD, a_hash(1), LATER)
        assert await hints.keep(tx, Source.BLINK, a_hash(1), NOW)
        due = await hints.due(tx, NOW, 10)
    assert {(hint.source, hint.payment_hash, hint.tries) for hint in due} == {
        (Source.PHOENIXD, a_hash(1), 0),
        (Source.BLINK, a_hash(1), 0),
    }


async def test_a_hint_is_due_until_it_is_settled(database: Database) -> None:
    async with database.transaction() as tx:
        assert await hints.next_due(tx) is None
        await hints.keep(tx, Source.BLINK, a_hash(1), NOW)
        (hint,) = await hints.due(tx, NOW, 10)
        await hints.put_off(tx, hint, LATER)
        assert await hints.due(tx, NOW, 10) == []
        assert await hints.next_due(tx) == LATER
        (again,) = await hints.due(tx, LATER, 10)
        assert again.tries == 1
        await hints.settle(tx, again)
        assert await hints.next_due(tx) is None
        assert not await hints.keep(tx, Source.BLINK, a_hash(1), LATER)


async def test_what_no_webhook_has_told_of_is_counted(database: Database) -> None:
    async with database.transaction() as tx:
        await a_merchant(tx)
        for n, witness in enumerate((Witness.POLL, Witness.POLL, Witness.WEBHOOK)):
            await payments.add(tx, receipt(n, 5), None, Source.PHOENIXD, witness, NOW)
        await payments.add(tx, receipt(9, 5), None, Source.BLINK, Witness.CATCH_UP, NOW)
        await hints.keep(tx, Source.PHOENIXD, a_hash(0), NOW)
        assert await hints.unannounced(tx, Source.PHOENIXD, NOW) == 1
        assert await hints.unannounced(tx, Source.PHOENIXD, LATER) == 0


async def test_what_belongs_to_an_unread_source_is_not_due(database: Database) -> None:
    async with database.transaction() as tx:
        forward = await a_forward(tx)
        assert forward.source is Source.BLINK
        assert await claims.next_due(tx, lease(), {Source.BLINK}) is None
        assert await claims.claim(tx, lease(), 10, unread={Source.BLINK}) == []
        assert await claims.next_due(tx, lease(), {Source.PHOENIXD}) is not None
        assert len(await claims.claim(tx, lease(), 10, unread={Source.PHOENIXD})) == 1
