"""What the operator's calls answer, from a real database behind a service at rest."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr
from sqlalchemy import update

from forwarder.model.forward import ForwardState
from forwarder.model.ledger import Paid
from forwarder.model.payment import Witness
from forwarder.model.source import Source
from forwarder.settings import Settings
from forwarder.store import moves, payments, tables
from forwarder.store.database import Database, Transaction
from forwarder.web import sheet
from forwarder.web.server import Server
from forwarder.worker import books as worker
from forwarder.worker.service import Service
from tests.store.rows import (
    NOW,
    a_forward,
    a_hash,
    an_invoice,
    lease,
    receipt,
    stand,
)

OPERATOR = {"Authorization": "Bearer operator-token"}
HOUR = timedelta(hours=1)


@dataclass
class House:
    """A service at rest that serves, an hour and a half after `NOW`, and its database."""

    database: Database
    client: ClientSession

    async def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """What a call answers."""
        async with self.client.get(path, params=query, headers=OPERATOR) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == 200, found
            return found

    async def refusal(self, path: str, **query: str | int) -> tuple[int, str]:
        """How a call is refused."""
        async with self.client.get(path, params=query, headers=OPERATOR) as answer:
            found = await answer.json()
            return answer.status, f"{found['error']['code']}: {found['error']['message']}"

    async def table(self, **query: str) -> list[dict[str, str]]:
        """The export, read back."""
        async with self.client.get("/api/export.csv", params=query, headers=OPERATOR) as answer:
            assert answer.status == 200
            return list(csv.DictReader(io.StringIO(await answer.text(), newline="")))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    settings = Settings(
        blink_api_url="http://127.0.0.1:9",
        blinkpos_api_key=SecretStr("a-key"),
        operator_token=SecretStr("operator-token"),
        forwarder_secret_key=SecretStr("k" * 40),
        database_url=f"sqlite+aiosqlite:///{tmp_path}/forwarder.db",
    )
    async with (
        Database.open(settings.database_url) as database,
        Service.wired(settings, database, lambda: NOW + 1.5 * HOUR) as service,
        Server.serve(service, "127.0.0.1", 0) as server,
        ClientSession(server.url) as client,
    ):
        yield House(database, client)


async def describe(tx: Transaction, n: int, description: str) -> None:
    """Give the n-th invoice another description."""
    table = tables.invoices
    mine = table.c.payment_hash == a_hash(n)
    await tx.execute(update(table).where(mine).values(description=description))


async def arrive(house: House, n: int, seconds: float = 2.0) -> None:
    """Have the n-th payment's forward arrive that long after its payment was seen."""
    async with house.database.transaction() as tx:
        forward = await stand(tx, await a_forward(tx, n), ForwardState.SENDING)
        arrived = lease(now=NOW + timedelta(seconds=seconds))
        await moves.finish(tx, forward, Paid(f"send-{n}"), arrived)


async def test_a_list_goes_on_where_its_last_page_ended(house: House) -> None:
    async with house.database.transaction() as tx:
        for n in range(1, 4):
            await a_forward(tx, n)
    first = await house.get("/api/payments", limit=2)
    rest = await house.get("/api/payments", limit=2, before=first["next"])
    shown = [sale["paymentHash"] for page in (first, rest) for sale in page["payments"]]
    assert shown == [a_hash(3), a_hash(2), a_hash(1)]
    assert rest["next"] is None
    earlier = await house.get("/api/payments", before="2026-08-01T12:00:00Z")
    assert earlier["payments"] == []


async def test_a_sale_that_nobody_has_paid_is_found_and_says_so(house: House) -> None:
    async with house.database.transaction() as tx:
        await an_invoice(tx)
    assert (await house.get("/api/payments"))["payments"] == []
    (found,) = (await house.get("/api/payments", search="order-1"))["payments"]
    assert (found["state"], found["receivedSat"], found["receivedAt"]) == ("pending", 0, None)
    assert (await house.get("/api/payments", state="pending"))["payments"] == [found]
    story = await house.get(f"/api/payments/{a_hash(1)}")
    assert story["payment"] == found
    assert story["invoice"]["state"] == "pending"
    assert [step["step"] for step in story["timeline"]] == ["invoice kept"]


async def test_one_sale_is_told_with_each_step_and_who_saw_it_first(house: House) -> None:
    await arrive(house, 1)
    story = await house.get(f"/api/payments/{a_hash(1)}")
    assert story["payment"]["seenBy"] == "subscription"
    assert story["payment"]["state"] == "forwarded"
    (forward,) = story["payment"]["forwards"]
    assert forward["transactionId"] == "send-1"
    assert forward["endedAt"] == "2026-08-01T12:00:02.000Z"
    assert [(step["step"], step["actor"]) for step in story["timeline"]] == [
        ("invoice kept", "pos"),
        ("payment received", "subscription"),
        ("forward queued", "intake"),
        ("forwarded", "payout"),
    ]


async def test_money_of_no_invoice_is_listed_as_unmatched(house: House) -> None:
    async with house.database.transaction() as tx:
        await payments.add(tx, receipt(7, 21), None, Source.BLINK, Witness.SUBSCRIPTION, NOW)
    (found,) = (await house.get("/api/payments", state="unmatched"))["payments"]
    assert (found["state"], found["merchant"], found["forwards"]) == ("unmatched", None, [])
    status = await house.get("/api/status")
    assert status["unmatched"] == {"count": 1, "sats": 21}
    assert status["sats"]["received"] == 0
    assert (await house.get(f"/api/payments/{a_hash(7)}"))["invoice"] is None


@pytest.mark.parametrize("name", ["f" * 64, "f" * 63, "x", "%00"])
async def test_what_nobody_knows_is_not_found(house: House, name: str) -> None:
    status, message = await house.refusal(f"/api/payments/{name}")
    assert (status, message.split(":")[0]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("payments", {"state": "lost"}),
        ("payments", {"limit": "0"}),
        ("payments", {"limit": "101"}),
        ("payments", {"before": "yesterday"}),
        ("payments", {"before": "2026-08-01T12:00:00"}),
        ("payments", {"search": ""}),
        ("payments", {"source": "paypal"}),
        ("payments", {"colour": "blue"}),
        ("status", {"zone": "Mars/Olympus"}),
        ("status", {"zone": "../etc/passwd"}),
        ("status", {"zone": "Europe"}),
        ("figures", {"by": "year"}),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_a_reason(
    house: House, path: str, query: dict[str, str]
) -> None:
    status, message = await house.refusal(f"/api/{path}", **query)
    assert (status, message.split(":")[0]) == (400, "invalid_request")


async def test_the_day_begins_where_the_operator_lives(house: House) -> None:
    await arrive(house, 1)
    async with house.database.transaction() as tx:
        await stand(tx, await a_forward(tx, 2, 300), ForwardState.HELD)
    today = (await house.get("/api/status"))["today"]
    assert today == {
        "zone": "UTC",
        "from": "2026-08-01T00:00:00.000Z",
        "payments": 2,
        "received": 1_300,
        "forwarded": 1_000,
        "held": 300,
    }
    later = (await house.get("/api/status", zone="Pacific/Kiritimati"))["today"]
    assert (later["from"], later["payments"]) == ("2026-08-01T10:00:00.000Z", 2)
    # There it is 1:30 in the night, so what came 90 minutes ago came yesterday.
    night = (await house.get("/api/status", zone="Asia/Kamchatka"))["today"]
    assert (night["from"], night["payments"]) == ("2026-08-01T12:00:00.000Z", 2)
    past = (await house.get("/api/status", zone="Pacific/Auckland"))["today"]
    assert (past["from"], past["payments"]) == ("2026-08-01T12:00:00.000Z", 2)


async def test_the_status_has_what_is_left_of_blinks_limits(house: House) -> None:
    blink = (await house.get("/api/status"))["blink"]
    assert blink["handshakes"] == {"left": 10, "of": 10, "seconds": 60}
    assert blink["creations"] == {"left": 59, "of": 59, "seconds": 60}


async def test_figures_have_every_hour_and_what_was_quick_and_slow_in_it(house: House) -> None:
    for n, seconds in enumerate([1.0, 2.0, 9.0], start=1):
        await arrive(house, n, seconds)
    found = (await house.get("/api/figures"))["figures"]
    assert len(found) == 25
    assert [one["payments"] for one in found] == [0] * 23 + [3, 0]
    noon = found[23]
    assert noon["from"] == "2026-08-01T12:00:00.000Z"
    assert (noon["receivedSat"], noon["forwardedSat"], noon["forwards"]) == (3_000, 3_000, 3)
    assert (noon["medianSeconds"], noon["slowSeconds"]) == (2.0, 9.0)
    assert found[0]["medianSeconds"] is None
    days = (await house.get("/api/figures", by="day", zone="Europe/Berlin"))["figures"]
    assert (len(days), days[-1]["from"]) == (31, "2026-07-31T22:00:00.000Z")


async def test_figures_of_a_long_time_are_its_last_and_of_none_are_none(house: House) -> None:
    for start in ("2020-01-01T00:00:00Z", "0001-01-01T00:00:00Z"):
        found = (await house.get("/api/figures", **{"from": start}))["figures"]
        assert (len(found), found[-1]["from"]) == (200, "2026-08-01T13:00:00.000Z")
    late = {"from": "2026-08-02T00:00:00Z", "to": "2026-08-01T00:00:00Z"}
    assert (await house.get("/api/figures", **late))["figures"] == []


FORMULAS = ['=HYPERLINK("http://evil")', "+1", "-1", "@SUM(A1)", "\tx"]
TEXTS = ['"quoted", and; more', "two\nlines"]


async def test_an_export_is_read_back_as_it_was_and_runs_nothing(house: House) -> None:
    for n, description in enumerate(FORMULAS + TEXTS, start=1):
        await arrive(house, n)
        async with house.database.transaction() as tx:
            await describe(tx, n, description)
    rows = await house.table()
    assert [row["description"] for row in rows] == [
        *(f"'{text}" for text in FORMULAS),
        *TEXTS,
    ]
    assert {row["amountSat"] for row in rows} == {"1000"}
    assert {row["receivedAt"] for row in rows} == {"2026-08-01T12:00:00.000Z"}
    assert {row["forwardedAt"] for row in rows} == {"2026-08-01T12:00:02.000Z"}
    assert [row["transactionId"] for row in rows] == [f"send-{n}" for n in range(1, 8)]
    assert [row["receiptTransactionId"] for row in rows] == [f"tx-{n}" for n in range(1, 8)]
    assert all(None not in row and None not in row.values() for row in rows)


async def test_an_export_has_what_came_in_its_time_however_often_it_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "EXPORTED_AT_ONCE", 2)
    async with house.database.transaction() as tx:
        for n in range(1, 6):
            await a_forward(tx, n)
    assert [row["paymentHash"] for row in await house.table()] == [a_hash(n) for n in range(1, 6)]
    noon, after = "2026-08-01T12:00:00Z", "2026-08-01T12:00:00.001Z"
    assert len(await house.table(**{"from": noon, "to": after})) == 5
    assert await house.table(**{"from": after}) == []
    assert await house.table(to=noon) == []


async def test_an_export_that_fails_half_way_is_cut_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.database.transaction() as tx:
        await a_forward(tx)

    def fail(_sales: object) -> str:
        raise ValueError("the disk is gone")

    monkeypatch.setattr(sheet, "lines", fail)
    async with house.client.get("/api/export.csv", headers=OPERATOR) as answer:
        with pytest.raises(Exception, match=r"(?i)payload|disconnected|reset"):
            await answer.text()


async def test_every_connected_page_is_told_whatever_it_shows(house: House) -> None:
    async with house.client.ws_connect("/ws") as one, house.client.ws_connect("/ws") as other:
        await one.receive_json()
        await other.receive_json()
        body = {"message": "closing in ten minutes"}
        async with house.client.post("/api/broadcast", json=body, headers=OPERATOR) as answer:
            assert await answer.json() == {"success": True, "pages": 2}
        for socket in (one, other):
            notice = await socket.receive_json()
            assert (notice["type"], notice["message"]) == ("notice", "closing in ten minutes")
            assert notice["timestamp"] == "2026-08-01T13:30:00.000Z"
    async with house.client.post("/api/broadcast", json=body, headers=OPERATOR) as answer:
        assert (await answer.json())["pages"] == 0


@pytest.mark.parametrize("message", ["", "x" * 501, "\x1b[2J", None, 5])
async def test_a_notice_is_a_text_of_some_length(house: House, message: object) -> None:
    body = {"message": message}
    async with house.client.post("/api/broadcast", json=body, headers=OPERATOR) as answer:
        assert answer.status == 400
