"""Sums and charts are those of a plain list, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forwarder.model.calendar import Slot
from forwarder.model.forward import ForwardState
from forwarder.model.invoice import InvoiceState
from forwarder.model.sale import Standing
from forwarder.model.source import Source
from forwarder.store import overview, trade
from forwarder.store.database import Database
from forwarder.store.overview import Sum
from tests.store.past import MINUTE, Past, keep, pasts
from tests.store.rows import NOW

pytestmark = pytest.mark.timeout(180)  # many pasts, each put into a real database

THOROUGH = settings(
    max_examples=25,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def at(minute: int) -> datetime:
    """A moment of the made-up past."""
    return NOW + minute * MINUTE


def total(amounts: list[int]) -> Sum:
    """How many, and how much together."""
    return Sum(len(amounts), sum(amounts))


def arrivals(past: list[Past]) -> list[tuple[int, int, int, ForwardState]]:
    """When each forward has ended, after how long, how much it was, and how it ended."""
    return [
        (sale.seen + 1 + position, 60 * (1 + position), sale.received // 2 + position, state)
        for sale in past
        if sale.is_paid and sale.merchant is not None
        for position, state in enumerate(sale.forwards)
        if state in (ForwardState.FORWARDED, ForwardState.RESOLVED)
    ]


@THOROUGH
@given(past=pasts())
async def test_each_slot_has_what_came_and_arrived_in_it(
    database: Database, past: list[Past]
) -> None:
    slots = [Slot(at(minute), at(minute + 2)) for minute in range(0, 10, 2)]
    async with database.transaction() as tx:
        savepoint = await tx.begin_nested()
        await keep(tx, past)
        found = await trade.read(tx, slots)
        await savepoint.rollback()
    assert [one.slot for one in found] == slots
    matched = [sale for sale in past if sale.is_paid and sale.merchant is not None]
    done = [it for it in arrivals(past) if it[3] is ForwardState.FORWARDED]
    for one, start in zip(found, range(0, 10, 2), strict=True):
        came = [sale.received for sale in matched if start <= sale.seen < start + 2]
        assert (one.payments, one.received) == (len(came), sum(came))
        ended = [it for it in done if start <= it[0] < start + 2]
        assert (one.forwards, one.forwarded) == (len(ended), sum(it[2] for it in ended))
        took = sorted(it[1] for it in ended)
        if not took:
            assert (one.median_seconds, one.slow_seconds) == (None, None)
            continue
        assert one.median_seconds == took[(len(took) + 1) // 2 - 1]
        assert one.slow_seconds == took[ceil(len(took) * 19 / 20) - 1]


async def test_no_slots_are_no_figures(database: Database) -> None:
    async with database.reading() as tx:
        assert await trade.read(tx, []) == []


async def test_a_clock_that_was_set_back_makes_nothing_arrive_before_it_came(
    database: Database,
) -> None:
    done = (ForwardState.FORWARDED,)
    early = Past(0, "alice", 0, 5, 21, 21, Source.BLINK, InvoiceState.PAID, done)
    async with database.transaction() as tx:
        await keep(tx, [early], ended_after=-timedelta(hours=1))
        (one,) = await trade.read(tx, [Slot(at(-120), at(10))])
    assert (one.median_seconds, one.slow_seconds) == (0, 0)


@THOROUGH
@given(past=pasts(), start=st.integers(2, 8))
async def test_the_sums_of_a_day_are_those_of_a_plain_list(
    database: Database, past: list[Past], start: int
) -> None:
    async with database.transaction() as tx:
        savepoint = await tx.begin_nested()
        await keep(tx, past)
        day = await overview.day(tx, at(start))
        of_blink = await overview.of_source(tx, Source.BLINK, at(start))
        unmatched = await overview.unmatched(tx)
        await savepoint.rollback()
    matched = [sale for sale in past if sale.is_paid and sale.merchant is not None]
    assert day.received == total([sale.received for sale in matched if sale.seen >= start])
    assert day.forwarded == total([it[2] for it in arrivals(past) if it[0] >= start])
    held = [sale for sale in matched if ForwardState.HELD in sale.forwards]
    parts = [
        (sale, sale.received // 2 + position)
        for sale in held
        for position, state in enumerate(sale.forwards)
        if state is ForwardState.HELD
    ]
    assert day.held == total([part for sale, part in parts if sale.seen >= start])
    blinks = [part for sale, part in parts if sale.source is Source.BLINK]
    assert of_blink.held == total(blinks)
    strays = [sale.received for sale in past if sale.standing is Standing.UNMATCHED]
    assert unmatched == total(strays)
