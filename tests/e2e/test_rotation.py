"""The secret is replaced while money is under way: nothing is paid twice, and nothing is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from forwarder.sandbox import Fault
from tests.e2e.conftest import SECRET_KEY, World
from tests.e2e.process import printed

PAY, CREATE = "lnInvoicePaymentSend", "lnInvoiceCreate"
NEWEST = "canary-newest-secret-0123456789abcdef"


async def restart(world: World, secret: str) -> None:
    await world.forwarder.kill()
    world.forwarder.environment["FORWARDER_SECRET_KEY"] = secret
    await world.forwarder.start()


async def rotate(world: World, *words: str) -> dict[str, Any]:
    status, output = await world.forwarder.execute("keys", "rotate", "--json", *words)
    assert status == 0, output
    return printed(output)


@pytest.fixture
async def bob(world: World) -> World:
    """A world whose till belongs to a merchant that was added by command."""
    token = "canary-bobs-token-0123456789"
    key = world.blink.create_key(world.merchant)
    more = {"NEW_MERCHANT_API_KEY": key, "NEW_POS_TOKEN": token}
    status, output = await world.forwarder.execute("merchants", "add", "bob", **more)
    assert status == 0, output
    world.till._token = token
    world.secrets = (*world.secrets, key, token, NEWEST)
    return world


async def test_it_is_replaced_in_the_middle_of_a_payout(bob: World) -> None:
    """Blink has the money moved, its answer is lost, and the key is encrypted anew meanwhile."""
    await bob.until_read()
    bob.blink.faults.add(Fault(operation=PAY, kind="lost_answer", times=1))
    bob.blink.faults.add(Fault(operation="me", kind="http_503", times=None))
    sale = await bob.till.sell()
    await bob.until(lambda: bob.blink.subscriptions == 1)  # nothing else will tell
    await bob.blink.pay(sale["invoice"])
    await bob.until(lambda: PAY in bob.operations(bob.pos))
    # Without a wallet to ask for it starts while Blink says nothing.
    bob.forwarder.environment["BLINKPOS_BTC_WALLET_ID"] = bob.pos.btc_wallet_id
    await restart(bob, f"{NEWEST},{SECRET_KEY}")
    done = await rotate(bob)
    assert done["resealed"] == ["bob"]
    assert not done["older"][0]["mayBeDropped"]
    bob.blink.faults.clear()
    await bob.till.until(sale, "forwarded")
    assert bob.earned == 1_000
    assert (await rotate(bob))["current"] == ["bob", "merchant"]


async def test_it_is_replaced_while_payout_invoices_cannot_be_made(bob: World) -> None:
    fault = Fault(operation=CREATE, kind="http_503", times=None, account=bob.merchant.id)
    bob.blink.faults.add(fault)
    sale = await bob.till.sell()
    await bob.blink.pay(sale["invoice"])
    await bob.till.until(sale, "paid")
    await restart(bob, f"{NEWEST},{SECRET_KEY}")
    rotating = [rotate(bob) for _ in range(3)]
    await asyncio.gather(*rotating)
    bob.blink.faults.clear()
    await bob.till.until(sale, "forwarded")
    assert bob.earned == 1_000
    assert len(bob.payouts()) == 1


async def test_the_old_value_is_dropped_and_sales_go_on(bob: World) -> None:
    first = await bob.till.sell()
    await bob.blink.pay(first["invoice"])
    await bob.till.until(first, "forwarded")
    await restart(bob, f"{NEWEST},{SECRET_KEY}")
    await rotate(bob)
    await restart(bob, NEWEST)
    assert (await bob.till.snapshot(first))["status"] == "forwarded"
    second = await bob.till.sell()
    async with bob.till.page(second) as page:
        await bob.blink.pay(second["invoice"])
        await page.until("forwarded")
    assert bob.earned == 2_000
    status, output = await bob.forwarder.execute("reconcile", "--json")
    assert (status, printed(output)["strays"]) == (0, [])


async def test_it_refuses_a_value_that_the_service_does_not_know(bob: World) -> None:
    more = {"FORWARDER_SECRET_KEY": f"{NEWEST},{SECRET_KEY}"}
    status, output = await bob.forwarder.execute("keys", "rotate", **more)
    assert status == 1
    assert "start every process" in output
    sale = await bob.till.sell()
    await bob.blink.pay(sale["invoice"])
    await bob.till.until(sale, "forwarded")


async def test_a_dry_run_changes_nothing_and_a_person_can_read_it(bob: World) -> None:
    await restart(bob, f"{NEWEST},{SECRET_KEY}")
    said = await rotate(bob, "--dry-run")
    assert said["resealed"] == ["bob"]
    status, output = await bob.forwarder.execute("keys", "rotate")
    assert status == 0
    assert "bob" in output
    assert "encrypted anew" in output
    assert "value 2 may be dropped" in output


async def test_a_lost_database_is_rebuilt_with_both_values(bob: World) -> None:
    bob.clock.off = timedelta(minutes=-10)  # what is very new may still be its till's to keep
    sales = []
    for number in range(2):
        sale = await bob.till.sell(1_000 + number)
        await bob.blink.pay(sale["invoice"])
        await bob.till.until(sale, "forwarded")
        sales.append(sale)
        await restart(bob, f"{NEWEST},{SECRET_KEY}")
        await rotate(bob)
    await bob.forwarder.kill()
    for file in bob.forwarder.folder.glob("forwarder.db*"):
        file.unlink()
    key = bob.blink.create_key(bob.merchant)
    bob.secrets = (*bob.secrets, key)
    more = {"NEW_MERCHANT_API_KEY": key, "NEW_POS_TOKEN": bob.till._token}
    assert (await bob.forwarder.execute("merchants", "add", "bob", **more))[0] == 0
    await bob.forwarder.start()
    status, output = await bob.forwarder.execute("recover", "--json")
    assert status == 0, output
    found = printed(output)
    assert (found["strays"], found["driftSats"]) == ([], 0)
    assert bob.earned == 2_001
