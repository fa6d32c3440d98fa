"""An operator sees what nothing explains, and closes it, by HTTP and by command."""

from __future__ import annotations

from tests.e2e.conftest import OPERATOR_TOKEN, World
from tests.e2e.process import printed
from tests.e2e.test_metrics import scrape
from tests.e2e.test_reconciliation import operate


async def look(world: World, query: str = "") -> list[dict[str, object]]:
    path = f"/api/findings{query}"
    status, answer = await world.till.call("GET", path, token=OPERATOR_TOKEN)
    assert status == 200, answer
    found: list[dict[str, object]] = answer["findings"]
    return found


async def test_money_without_an_invoice_is_found_shown_and_closed(world: World) -> None:
    await world.till.sell()
    came = [await world.blink.transfer(world.friend, world.pos, sats) for sats in (300, 301)]
    status, report = await operate(world, "/api/reconcile")
    assert (status, report["driftSats"]) == (200, 0)
    first, second = sorted(await look(world), key=lambda one: str(one["amountSat"]))
    assert first == {
        "id": first["id"],
        "kind": "unmatched_receipt",
        "source": "blink",
        "paymentHash": came[0].id,
        "transactionId": came[0].id,
        "amountSat": 300,
        "seenAt": first["seenAt"],
        "text": "money came for no invoice of ours",
        "state": "open",
        "closedAt": None,
        "note": None,
    }
    _, payment = await world.till.call("GET", f"/api/payments/{came[0].id}", token=OPERATOR_TOKEN)
    assert payment["payment"]["state"] == "unmatched"
    assert (await scrape(world)).value("forwarder_findings", kind="unmatched_receipt") == 2
    _, status_now = await world.till.call("GET", "/api/status", token=OPERATOR_TOKEN)
    assert status_now["findings"] == 2

    path = f"/api/findings/{first['id']}/close"
    assert (await operate(world, path, {"note": ""}))[0] == 400
    closed, answer = await operate(world, path, {"note": "a friend's"})
    assert (closed, answer["finding"]["state"], answer["finding"]["note"]) == (
        200,
        "closed",
        "a friend's",
    )
    assert (await operate(world, path, {"note": "mine"}))[0] == 409
    assert (await operate(world, "/api/findings/999/close", {"note": "mine"}))[0] == 404
    assert [one["id"] for one in await look(world)] == [second["id"]]
    assert [one["id"] for one in await look(world, "?state=closed")] == [first["id"]]


async def test_the_commands_say_the_same(world: World) -> None:
    await world.till.sell()
    status, output = await world.forwarder.execute("findings")
    assert (status, "no finding is open" in output) == (0, True)
    came = await world.blink.transfer(world.friend, world.pos, 300)
    await operate(world, "/api/reconcile")
    status, output = await world.forwarder.execute("findings")
    assert status == 0
    assert came.id in output
    _, output = await world.forwarder.execute("findings", "--json")
    (finding,) = printed(output)["findings"]
    number = str(finding["id"])
    status, _ = await world.forwarder.execute("findings", "close", number)
    assert status == 2  # not without a word
    status, output = await world.forwarder.execute("findings", "close", number, "--note", "a gift")
    assert (status, output.strip()) == (0, f"finding {number} is closed")
    status, output = await world.forwarder.execute("findings", "close", number, "--note", "no")
    assert status == 1
    assert "closed already" in output
    assert await look(world) == []
