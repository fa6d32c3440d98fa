"""What a stop, a lost event, or an older database has hidden comes to light, and is paid once."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from forwarder.blink.client import BlinkClient
from forwarder.model.units import Sats, WalletId
from forwarder.sandbox import Fault
from tests.e2e.conftest import OPERATOR_TOKEN, World
from tests.e2e.process import printed


async def operate(world: World, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    """A call of the operator's."""
    return await world.till.call("POST", path, body, token=OPERATOR_TOKEN)


async def test_paid_after_expiry_is_found_and_forwarded(world: World) -> None:
    await world.forwarder.stop()
    await world.forwarder.start(RECONCILE_INTERVAL_SECONDS="1")
    sale = await world.till.sell(description="paid late")
    await world.till.call("DELETE", f"/api/invoice/{sale['externalId']}")
    await world.until(lambda: world.blink.websockets == 0)
    await world.blink.pay_from(world.friend, sale["invoice"])
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000


async def test_reconciling_a_clean_ledger_costs_one_query_and_changes_nothing(
    world: World,
) -> None:
    sale = await world.till.sell()
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    await operate(world, "/api/reconcile")
    before = len(world.blink.calls)
    status, report = await operate(world, "/api/reconcile")
    assert status == 200
    assert (report["clean"], report["driftSats"], report["entries"]) == (True, 0, 2)
    assert [call.operation for call in world.blink.calls[before:]] == ["me"]


async def test_a_dry_run_tells_and_changes_nothing(world: World) -> None:
    sale = await world.till.sell()
    await world.forwarder.stop()
    await world.blink.pay(sale["invoice"])
    status, output = await world.forwarder.execute("reconcile", "--dry-run", "--json")
    assert (status, printed(output)["missed"]) == (0, [sale["paymentHash"]])
    assert len(world.payouts()) == 0
    status, output = await world.forwarder.execute("reconcile", "--json")
    assert printed(output)["missed"] == [sale["paymentHash"]]
    await world.forwarder.start()
    await world.till.until(sale, "forwarded")


async def test_a_page_learns_what_a_command_has_found(world: World) -> None:
    sale = await world.till.sell()
    await world.until(lambda: world.blink.subscriptions == 1)
    await asyncio.sleep(0.3)
    world.blink.faults.add(Fault(operation="event", kind="drop", times=1))
    async with world.till.page(sale) as page:
        await world.blink.pay(sale["invoice"])
        status, _ = await world.forwarder.execute("reconcile")
        assert status == 0
        await page.until("payment", seconds=2)
        await page.until("forwarded")


async def test_a_held_forward_is_replayed_and_pressing_twice_pays_once(world: World) -> None:
    sale = await world.till.sell()
    world.blink.disable_receive(world.merchant)
    await world.blink.pay(sale["invoice"])
    await world.until(lambda: "lnInvoiceCreate" in world.operations(world.merchant))
    await asyncio.sleep(0.3)
    path = f"/api/payments/{sale['paymentHash']}"
    world.blink.disable_receive(world.merchant, disabled=False)
    answers = await asyncio.gather(*(operate(world, f"{path}/replay") for _ in range(2)))
    assert [status for status, _ in answers] == [200, 200]
    assert (await world.forwarder.execute("replay", sale["paymentHash"]))[0] == 0
    await world.till.until(sale, "forwarded")
    assert world.earned == 1_000


async def test_a_held_forward_is_settled_by_hand(world: World) -> None:
    sale = await world.till.sell()
    world.blink.disable_receive(world.merchant)
    await world.blink.pay(sale["invoice"])
    await world.until(lambda: "lnInvoiceCreate" in world.operations(world.merchant))
    await asyncio.sleep(0.3)
    path = f"/api/payments/{sale['paymentHash']}/resolve"
    assert (await operate(world, path, {"note": ""}))[0] == 400
    status, answer = await operate(world, path, {"note": "paid in cash"})
    assert (status, len(answer["resolved"])) == (200, 1)
    assert (await operate(world, path, {"note": "again"}))[0] == 409
    status, output = await world.forwarder.execute("replay", sale["paymentHash"])
    assert (status, output.strip()) == (0, "nothing to do")
    assert world.earned == 0


async def test_yesterdays_backup_pays_nobody_twice(world: World, tmp_path: Path) -> None:
    paid_before = await world.till.sell(100)
    await world.blink.pay(paid_before["invoice"])
    await world.till.until(paid_before, "forwarded")
    open_then = await world.till.sell(200)
    await world.forwarder.stop()
    backup = tmp_path / "backup"
    backup.mkdir()
    for file in tmp_path.glob("forwarder.db*"):
        shutil.copy(file, backup)
    await world.forwarder.start()
    await world.blink.pay(open_then["invoice"])
    await world.till.until(open_then, "forwarded")
    made_later = await world.till.sell(300)
    await world.blink.pay(made_later["invoice"])
    await world.till.until(made_later, "forwarded")
    await world.forwarder.kill()
    for file in tmp_path.glob("forwarder.db*"):
        file.unlink()
    for file in backup.iterdir():
        shutil.copy(file, tmp_path)
    await world.forwarder.start()
    await world.till.until(open_then, "forwarded")
    new = await world.till.sell(400)
    await world.blink.pay(new["invoice"])
    await world.till.until(new, "forwarded")
    assert world.earned == 1_000
    assert len(world.payouts()) == 4


async def test_a_lost_database_is_rebuilt_and_pays_nobody_twice(
    world: World, tmp_path: Path
) -> None:
    world.clock.off = timedelta(minutes=-10)
    for sats in (100, 200, 300):
        sale = await world.till.sell(sats)
        await world.blink.pay(sale["invoice"])
        await world.till.until(sale, "forwarded")
    await world.forwarder.kill()
    for file in tmp_path.glob("forwarder.db*"):
        file.unlink()
    await world.forwarder.start()
    await asyncio.sleep(1)
    assert len(world.payouts()) == 3
    assert world.earned == 600
    status, output = await world.forwarder.execute("recover", "--json")
    assert (status, printed(output)["driftSats"]) == (0, 0)
    status, found = await world.till.call("GET", "/api/payments", token=OPERATOR_TOKEN)
    assert (status, {one["amountSat"] for one in found["payments"]}) == (200, {300, 200, 100})
    path = f"/api/payments/{found['payments'][0]['paymentHash']}"
    status, whole = await world.till.call("GET", path, token=OPERATOR_TOKEN)
    (forward,) = whole["payment"]["forwards"]
    assert (status, forward["state"], forward["payoutExpiresAt"]) == (200, "forwarded", None)


async def test_a_reconciliation_takes_no_orders(world: World) -> None:
    """Whoever asks for a dry run must not get a real one."""
    for path, body in (("/api/reconcile", {"dryRun": True}), ("/api/reconcile?dryRun=true", None)):
        status, refused = await operate(world, path, body)
        assert (status, refused["error"]["code"]) == (400, "invalid_request")
    assert (await operate(world, "/api/reconcile", {}))[0] == 200


async def test_what_a_lost_database_had_just_taken_in_is_forwarded_soon(
    world: World, tmp_path: Path
) -> None:
    sale = await world.till.sell()
    await world.forwarder.kill()
    for file in tmp_path.glob("forwarder.db*"):
        file.unlink()
    world.clock.off = timedelta(seconds=-61)
    await world.blink.pay(sale["invoice"])
    await world.forwarder.start()
    await world.until(lambda: world.earned == 1_000)


async def test_what_blinkpos_received_before_there_was_a_service_is_none_of_its_business(
    world: World, tmp_path: Path
) -> None:
    await world.forwarder.kill()
    for file in tmp_path.glob("forwarder.db*"):
        file.unlink()
    world.clock.off = timedelta(minutes=-20)
    key = SecretStr(world.forwarder.environment["BLINKPOS_API_KEY"])
    async with BlinkClient.connect(world.blink.api_url, key) as client:
        for sats in (11, 22, 33):
            wallet_id = WalletId(world.pos.btc_wallet_id)
            issued = await client.create_invoice(
                wallet_id, Sats(sats), "a gift", 60, f"gift-{sats}"
            )
            await world.blink.pay(issued.payment_request)
    world.clock.off = timedelta()
    await world.forwarder.start()
    sale = await world.till.sell(500)
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "forwarded")
    status, found = await world.till.call("GET", "/api/status", token=OPERATOR_TOKEN)
    assert status == 200
    assert (found["sats"]["received"], found["sats"]["forwarded"]) == (500, 500)
    _, report = await operate(world, "/api/reconcile")
    assert (report["clean"], report["driftSats"]) == (True, 0)
