"""What reading the ledgers must not miss, whatever happens while it goes on."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from forwarder import failpoints
from forwarder.model.source import Source
from tests.faults import clock, judge, matrix, runs
from tests.faults.disk import Files
from tests.faults.matrix import Case
from tests.faults.world import opened


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    with runs.room() as folder, runs.staged(folder) as files:
        yield files


def test_a_lost_sale_is_found_although_a_new_one_was_kept_before_the_ledger_was_read(
    files: Files,
) -> None:
    async def play() -> None:
        async with opened(files, seed=1) as world:

            async def sell_and_fail() -> None:
                failpoints.disarm("reconciler.read")
                await world.sell(world.shops[0], 1_000)
                raise RuntimeError("the ledger is read again from the start")

            lost = await world.sell(world.shops[0], 3_000)
            await world.rest()
            await world.pay(lost)
            await asyncio.sleep(400)  # what is younger is not taken for lost yet
            failpoints.arm("reconciler.read", sell_and_fail)
            await world.lose_database()
            await judge.settle(world)
            await judge.judge(world)

    clock.run(play, seed=1)


@pytest.mark.parametrize("cut", [1, 2])
def test_a_ledger_whose_first_reading_is_cut_short_is_read_again(cut: int, files: Files) -> None:
    """From a source whose ledger was not read nothing is ever paid."""

    async def play() -> None:
        async with opened(files, seed=1, has_node=True) as world:
            passes = itertools.count(1)

            async def cancel() -> None:
                if next(passes) == cut:
                    raise asyncio.CancelledError  # as a library does that has given up waiting

            await world.rest()
            failpoints.arm("reconciler.read", cancel)
            await world.begin()
            for source in Source:
                await world.pay(await world.sell(world.shops[0], 1_000, source=source))
            await judge.settle(world)
            await judge.judge(world)

    clock.run(play, seed=1)


@pytest.mark.parametrize("seed", range(4))
def test_what_was_paid_on_is_not_paid_again_to_the_account_that_a_merchant_has_now(
    seed: int, files: Files
) -> None:
    """There Blink knows no payout invoice of that name, so it refuses none."""

    async def play() -> None:
        async with opened(files, seed) as world:
            files.back_up()
            for sats in (1_000, 2_000, 3_000):
                await world.pay(await world.sell(world.shops[0], sats))
            await asyncio.sleep(5)
            world.move_shop()
            await world.restore()
            await asyncio.sleep(200)  # by then the receipts are no longer too young to be lost
            await judge.settle(world)
            await judge.judge(world)

    clock.run(play, seed)


@pytest.mark.parametrize(
    ("point", "seed"),
    [
        ("rebuilding.kept", 2),  # its forward was proven by name, and the hash of it not kept
        ("rebuilding.kept", 12),  # the ledger was read again from the first sale that was rebuilt
        ("audit.settled", 2),  # the catch-up has seen it before the audit
    ],
)
def test_a_payout_that_came_back_is_no_income_of_a_rebuilt_database(
    point: str, seed: int, files: Files
) -> None:
    case = Case(point, "send:refunded", seed)
    assert clock.run(lambda: matrix.play(case, files), seed).broken == ""
