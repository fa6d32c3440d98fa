"""Pagination: which arguments count, which are ignored, which are refused."""

from __future__ import annotations

from typing import Unpack

import pytest

from forwarder.sandbox.errors import Refusal
from forwarder.sandbox.pages import Page, Window, WindowArguments, by_object_id, by_position
from tests.sandbox.client import Shop

IDS = [f"{number:024x}" for number in range(9, 0, -1)]  # newest first, as statements are


def page(**window: Unpack[WindowArguments]) -> Page[str]:
    return by_object_id(IDS, Window(**window), str)


def numbers(found: Page[str]) -> list[int]:
    return [int(item, 16) for item in found.items]


def test_first_after_gives_the_next_older_ones() -> None:
    found = page(first=3, after=IDS[2])
    assert numbers(found) == [6, 5, 4]
    assert (found.has_next, found.has_previous) == (True, False)
    assert not page(first=3, after=IDS[5]).has_next


def test_last_before_gives_the_ones_just_newer_newest_first() -> None:
    found = page(last=3, before=IDS[5])
    assert numbers(found) == [7, 6, 5]
    assert (found.has_next, found.has_previous) == (False, True)
    assert not page(last=5, before=IDS[5]).has_previous


def test_the_argument_of_the_other_direction_is_ignored() -> None:
    assert numbers(page(first=2, before=IDS[3])) == [9, 8]
    assert numbers(page(last=2, after=IDS[3])) == [2, 1]


def test_last_alone_gives_the_oldest_and_nothing_the_newest() -> None:
    assert numbers(page(last=2)) == [2, 1]
    assert numbers(page()) == [9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_a_cursor_need_not_be_an_item() -> None:
    assert numbers(page(first=1, after="f" * 24)) == [9]
    assert numbers(page(last=1, before="0" * 24)) == [1]


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ({"first": 1, "last": 1}, 'Cannot use both "first" and "last".'),
        ({"first": 101}, r"Requested page size \(101\) is greater than max allowed page size 100."),
        ({"last": 101}, "greater than max"),
        ({"first": 0}, "page size"),
        ({"last": -1}, "page size"),
        ({"first": 1, "after": "xyz"}, "UnknownLedgerError"),
    ],
)
def test_impossible_pages_are_refused(window: WindowArguments, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        page(**window)


def test_invoices_are_paged_by_their_own_hashes() -> None:
    items = list("edcba")
    assert by_position(items, Window(first=2, after="d"), str).items == ["c", "b"]
    assert by_position(items, Window(last=2, before="b"), str).items == ["d", "c"]
    with pytest.raises(Refusal, match="UnknownRepositoryError"):
        by_position(items, Window(first=2, after="z"), str)


async def test_everything_since_a_known_transaction_is_read_page_by_page(world: Shop) -> None:
    for number in range(7):
        await world.sandbox.pay((await world.create(100 + number))["paymentRequest"])
        world.clock.advance(seconds=1)
    ids = [tx.id for tx in world.sandbox.transactions(world.wallet)]
    query = """query ($before: String) { me { defaultAccount {
      transactions(last: 3, before: $before) { pageInfo { startCursor hasPreviousPage }
      edges { node { id } } } } } }"""
    seen: list[str] = []
    cursor, more = ids[-1], True
    while more:
        answer = await world.ask(query, {"before": cursor})
        found = answer["data"]["me"]["defaultAccount"]["transactions"]
        seen = [edge["node"]["id"] for edge in found["edges"]] + seen
        cursor, more = found["pageInfo"]["startCursor"], found["pageInfo"]["hasPreviousPage"]
    assert seen == ids[:-1]


async def test_a_bad_page_is_a_top_level_error_without_a_code(world: Shop) -> None:
    query = "{ me { defaultAccount { transactions(first: 101) { edges { cursor } } } } }"
    answer = await world.ask(query)
    assert "greater than max" in answer["errors"][0]["message"]
    assert answer["errors"][0]["path"] == ["me", "defaultAccount", "transactions"]
    assert "extensions" not in answer["errors"][0]


async def test_account_lists_can_be_narrowed_to_wallets(world: Shop) -> None:
    invoice = await world.create()
    await world.sandbox.pay(invoice["paymentRequest"])
    query = """query ($w: [WalletId]) { me { defaultAccount {
      transactions(walletIds: $w) { edges { cursor } } invoices(walletIds: $w) { edges { cursor }
      pageInfo { startCursor endCursor hasNextPage } } } } }"""
    for wallet_id, count in ((world.wallet, 1), (world.shop.usd_wallet_id, 0)):
        answer = await world.ask(query, {"w": [wallet_id]})
        account = answer["data"]["me"]["defaultAccount"]
        assert len(account["transactions"]["edges"]) == count
        assert len(account["invoices"]["edges"]) == count
    foreign = await world.ask(query, {"w": [world.merchant.btc_wallet_id]})
    assert foreign["errors"][0]["message"] == "Invalid walletId for account."
