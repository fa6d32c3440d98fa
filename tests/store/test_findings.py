"""Findings are opened once, counted while they are open, and take any text."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from forwarder.model.actor import Actor
from forwarder.model.finding import Discovery, Finding, FindingKind, FindingState
from forwarder.model.history import History, Outcome
from forwarder.model.source import Source
from forwarder.store import findings, histories
from forwarder.store.database import Database, StoreError, is_refusal
from tests.store.rows import NOW, WALLET, a_hash

SECOND = Discovery(FindingKind.SECOND_RECEIPT, Source.BLINK, "tx-1", a_hash(1), 700, "paid again")
GIFT = Discovery(FindingKind.UNMATCHED_RECEIPT, Source.BLINK, "tx-2", None, 50, "a gift")
AT_NODE = replace(SECOND, source=Source.PHOENIXD)


async def discover(database: Database, *found: Discovery) -> list[bool]:
    async with database.transaction() as tx:
        return [await findings.discover(tx, one, NOW) for one in found]


async def listed(
    database: Database, state: FindingState = FindingState.OPEN, after: int = 0, limit: int = 10
) -> list[Finding]:
    async with database.reading() as tx:
        return await findings.listed(tx, state, after, limit)


async def test_one_transaction_is_of_one_kind_once(database: Database, other: Database) -> None:
    opened = await asyncio.gather(*(discover(each, SECOND) for each in (database, other) * 3))
    assert sorted(done for (done,) in opened) == [False] * 5 + [True]
    assert await discover(database, GIFT, AT_NODE) == [True, True]
    assert [one.transaction_id for one in await listed(database)] == ["tx-1", "tx-2", "tx-1"]


async def test_what_is_closed_is_not_opened_again_and_counts_no_more(database: Database) -> None:
    await discover(database, SECOND, GIFT, AT_NODE)
    first = (await listed(database))[0]
    async with database.transaction() as tx:
        assert await findings.difference(tx) == 1_400
        assert await findings.difference(tx, Source.BLINK) == 700
        assert await findings.close(tx, first, "given back", Actor.HTTP, NOW)
        assert not await findings.close(tx, first, "kept", Actor.HTTP, NOW)
        assert await findings.difference(tx) == 700
        counts = await findings.counts(tx)
    assert counts[FindingKind.SECOND_RECEIPT] == counts[FindingKind.UNMATCHED_RECEIPT] == 1
    assert set(counts) == set(FindingKind)
    assert await discover(database, SECOND) == [False]
    (closed,) = await listed(database, FindingState.CLOSED)
    assert (closed.note, closed.state) == ("given back", FindingState.CLOSED)
    assert len(await listed(database, FindingState.OPEN)) == 2


async def test_what_explains_itself_is_closed_once_and_only_if_it_was_open(
    database: Database,
) -> None:
    await discover(database, GIFT)
    async with database.transaction() as tx:
        for known in ("tx-2", "tx-2", "tx-unknown"):
            await findings.explain(tx, GIFT.kind, GIFT.source, known, "kept again", NOW)
    (closed,) = await listed(database, FindingState.CLOSED)
    assert closed.note == "kept again"


async def test_a_list_goes_on_after_any_of_them(database: Database) -> None:
    await discover(database, SECOND, GIFT, AT_NODE)
    first, second, third = await listed(database)
    assert await listed(database, limit=1) == [first]
    assert await listed(database, after=first.id) == [second, third]


async def test_any_text_can_be_kept(database: Database) -> None:
    await discover(database, replace(GIFT, text="a\x00gift\x1b]0;x\x07\ud800\nfor you"))
    (kept,) = await listed(database)
    assert kept.text == "a gift ]0;x ?\nfor you"


async def test_a_long_look_is_kept_for_each_wallet(database: Database) -> None:
    steps = [History("cursor", 100), History("further", 200, Outcome.LOST)]
    async with database.transaction() as tx:
        for step in steps:
            await histories.keep(tx, Source.BLINK, WALLET, step)
            assert await histories.find(tx, Source.BLINK, WALLET) == step
        assert await histories.find(tx, Source.PHOENIXD, WALLET) == History()


# Who is to blame


async def error(database: Database, command: str, value: object) -> StoreError:
    with pytest.raises(StoreError) as raised:
        async with database.transaction() as tx:
            await tx.execute(text(command), {"value": value})
    return raised.value


KEEP = (
    "INSERT INTO findings (kind, source, transaction_id, amount, seen_at, text)"
    " VALUES (:value, 'blink', 'x', 0, '2026-08-01', 'x')"
)


async def test_a_database_that_refuses_a_row_has_not_failed(database: Database) -> None:
    assert is_refusal(await error(database, KEEP, "mystery"))
    assert not is_refusal(await error(database, "DELETE FROM nothing WHERE x = :value", 1))
    assert is_refusal(StatementError("it cannot be bound", "", {}, ValueError()))
