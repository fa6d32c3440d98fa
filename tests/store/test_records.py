"""Messages, the journal and handshakes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from forwarder.model import message
from forwarder.model.actor import Actor
from forwarder.model.invoice import InvoiceState
from forwarder.model.units import Sats
from forwarder.store import journal, messages, recent, tables
from forwarder.store.database import Database
from forwarder.store.journal import Step
from forwarder.store.recent import HANDSHAKES
from tests.store.rows import (
    NOW,
    a_hash,
    an_invoice,
    rows_of,
)

MINUTE = timedelta(minutes=1)


async def test_a_message_is_kept_once_and_as_it_was_first_told(database: Database) -> None:
    async with database.transaction() as tx:
        invoice = await an_invoice(tx)
        first = message.paid(invoice, Sats(1_000), NOW)
        await messages.add(tx, first)
        await messages.add(tx, message.paid(invoice, Sats(1_000), NOW + MINUTE))
        assert await messages.of_invoice(tx, invoice.id) == [first]


async def test_messages_are_read_in_the_order_in_which_they_were_told(database: Database) -> None:
    async with database.transaction() as tx:
        invoice, other = await an_invoice(tx, 1), await an_invoice(tx, 2)
        told = [
            message.ended(invoice, InvoiceState.EXPIRED, NOW),
            message.paid(invoice, Sats(1_000), NOW),
            message.forwarded(replace(invoice, external_id="☕"), Sats(1_000), NOW),
        ]
        for one in told:
            await messages.add(tx, one)
        await messages.add(tx, message.paid(other, Sats(1_000), NOW))
        assert await messages.of_invoice(tx, invoice.id) == told
        assert await messages.of_invoice(tx, other.id + 1) == []


async def test_a_message_that_two_tell_at_once_is_kept_once(
    database: Database, other: Database
) -> None:
    async with database.transaction() as tx:
        invoice = await an_invoice(tx)

    async def tell(one: Database) -> None:
        async with one.transaction() as tx:
            await messages.add(tx, message.paid(invoice, Sats(1_000), NOW))

    await asyncio.gather(*(tell((database, other)[n % 2]) for n in range(8)))
    async with database.reading() as tx:
        assert await rows_of(tx, tables.messages) == 1


async def test_the_journal_tells_a_story_in_order(database: Database) -> None:
    steps = [
        Step(
            NOW + MINUTE,
            "second by the clock",
            Actor.INTAKE,
            {"sats": 5, "why": "☕", "none": None},
        ),
        Step(NOW, "first by the clock", Actor.INTAKE, {}),
    ]
    async with database.transaction() as tx:
        for step in steps:
            await journal.write(tx, a_hash(1), step)
        await journal.write(tx, a_hash(2), steps[0])
        assert await journal.story(tx, a_hash(1)) == steps
        assert await journal.story(tx, a_hash(3)) == []


async def test_the_handshakes_of_the_last_minute_are_known(database: Database) -> None:
    times = [NOW - MINUTE, NOW - timedelta(seconds=59), NOW - timedelta(seconds=1), NOW]
    async with database.transaction() as tx:
        for at in (times[2], times[0], times[3], times[1]):
            await recent.add(tx, HANDSHAKES, at, MINUTE)
        assert await recent.times(tx, HANDSHAKES, NOW - MINUTE, NOW) == times[1:]


async def test_handshakes_from_the_future_of_a_wrong_clock_do_not_count(
    database: Database,
) -> None:
    async with database.transaction() as tx:
        await recent.add(tx, HANDSHAKES, NOW + timedelta(hours=1), MINUTE)
        assert await recent.times(tx, HANDSHAKES, NOW - MINUTE, NOW) == []


async def test_handshakes_that_no_longer_count_are_forgotten(database: Database) -> None:
    async with database.transaction() as tx:
        await recent.add(tx, HANDSHAKES, NOW, MINUTE)
        await recent.add(tx, HANDSHAKES, NOW + MINUTE, MINUTE)
        assert await rows_of(tx, tables.handshakes) == 1
