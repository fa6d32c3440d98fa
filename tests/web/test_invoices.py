"""The calls of a POS."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession
from sqlalchemy.exc import OperationalError

from forwarder.blink.errors import NeverSent, Refused, Unknown
from forwarder.model.invoice import InvoiceState
from forwarder.model.refusal import Refusal
from forwarder.model.units import MAX_SATS
from tests.web.fakes import ALICE, AS_ALICE, AS_BOB, NOW, FakeService

SALE = {"amountSat": 21, "externalId": "sale-1"}


async def post(client: ClientSession, body: object) -> ClientResponse:
    return await client.post("/api/invoice", json=body, headers=AS_ALICE)


async def failure(answer: ClientResponse) -> tuple[int, str]:
    """Status and code of an error, which has the contract's form."""
    body = await answer.json()
    assert set(body) == {"success", "error"}
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["message"]
    return answer.status, body["error"]["code"]


async def message(answer: ClientResponse) -> str:
    return str((await answer.json())["error"]["message"])


async def test_a_sale_is_answered_in_the_contracts_form(
    client: ClientSession, service: FakeService
) -> None:
    answer = await post(client, SALE)
    body = await answer.json()
    token = body.pop("token")
    assert (answer.status, body) == (
        200,
        {
            "success": True,
            "invoice": "lnbc1n1qqqsyq",
            "paymentHash": f"{1:064x}",
            "externalId": "sale-1",
            "amountSat": 21,
            "status": "pending",
            "expiresAt": "2026-01-31T12:15:00.000Z",
        },
    )
    assert token == service.token(service.sales.invoices[0])


async def test_the_defaults_are_a_new_name_no_words_and_the_set_expiry(
    client: ClientSession, service: FakeService
) -> None:
    names = {(await (await post(client, {"amountSat": 1})).json())["externalId"] for _ in range(2)}
    assert len(names) == 2
    order = service.sales.orders[ALICE.id, names.pop()]
    assert (order.description, order.expires_in_seconds) == ("", 900)


async def test_a_null_is_the_same_as_nothing(client: ClientSession) -> None:
    optional = ("description", "externalId", "expiresInSeconds", "source")
    answer = await post(client, {"amountSat": 1, **dict.fromkeys(optional)})
    assert answer.status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"amountSat": MAX_SATS},
        {"amountSat": 1, "description": "é" * 319 + "!"},
        {"amountSat": 1, "description": "two\nlines\tand a tab"},
        {"amountSat": 1, "externalId": "A" * 100},
        {"amountSat": 1, "expiresInSeconds": 86_400},
        {"amountSat": 1, "source": "blink"},
    ],
)
async def test_what_is_just_allowed_is_taken(client: ClientSession, body: object) -> None:
    assert (await post(client, body)).status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "amountSat: is missing"),
        ({"amountSat": None}, "amountSat"),
        ({"amountSat": 0}, "amountSat"),
        ({"amountSat": -1}, "amountSat"),
        ({"amountSat": 1.5}, "amountSat"),
        ({"amountSat": 1.0}, "amountSat"),
        ({"amountSat": "21"}, "amountSat"),
        ({"amountSat": True}, "amountSat"),
        ({"amountSat": [1]}, "amountSat"),
        ({"amountSat": MAX_SATS + 1}, "amountSat"),
        ({"amountSat": 10**400}, "amountSat"),
        ({"amountSat": 1, "amount": 1}, "amount: is not known here"),
        ({"amount_sat": 1}, "amountSat: is missing"),
        ({"amountSat": 1, "description": "é" * 320}, "description: must be at most 639 bytes"),
        ({"amountSat": 1, "description": "\0"}, "description: must not have control"),
        ({"amountSat": 1, "description": "\x7f"}, "description"),
        ({"amountSat": 1, "description": "\ud800"}, "description"),
        ({"amountSat": 1, "description": 1}, "description"),
        ({"amountSat": 1, "\ud800": 1}, "must be a valid string"),
        ({"amountSat": 1, "externalId": ""}, "externalId"),
        ({"amountSat": 1, "externalId": "A" * 101}, "externalId"),
        ({"amountSat": 1, "externalId": "a/b"}, "externalId"),
        ({"amountSat": 1, "externalId": "a\n"}, "externalId"),
        ({"amountSat": 1, "externalId": "é"}, "externalId"),
        ({"amountSat": 1, "externalId": "."}, "externalId"),
        ({"amountSat": 1, "externalId": ".."}, "externalId"),
        ({"amountSat": 1, "externalId": 1}, "externalId"),
        ({"amountSat": 1, "expiresInSeconds": 0}, "expiresInSeconds"),
        ({"amountSat": 1, "expiresInSeconds": 86_401}, "expiresInSeconds"),
        ({"amountSat": 1, "expiresInSeconds": "60"}, "expiresInSeconds"),
        ({"amountSat": 1, "source": "cash"}, "source"),
        ([], "JSON object"),
        ("text", "JSON object"),
    ],
)
async def test_a_wrong_body_is_refused_and_the_field_named(
    client: ClientSession, service: FakeService, body: object, field: str
) -> None:
    answer = await post(client, body)
    assert await failure(answer) == (400, "invalid_request")
    assert field in await message(answer)
    assert service.sales.invoices == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"amountSat=21",
        b"{'amountSat': 1}",
        b'{"amountSat": 1',
        b'{"amountSat": 1} 2',
        b'{"amountSat": NaN}',
        b'{"amountSat": Infinity}',
        b'{"amountSat": 1, "amountSat": 2}',
        b'{"amountSat": 1, "description": "\xff"}',
        b'{"amountSat": 1, "description": "a\nb"}',
        b"\xef\xbb\xbf{}",
        '{"amountSat": 1}'.encode("utf-16"),
        b"[" * 10_000,
        b'{"a":' * 3_000,
        b'{"amountSat": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda value: ascii(value)[:30],
)
async def test_what_is_not_json_is_refused(client: ClientSession, raw: bytes) -> None:
    answer = await client.post("/api/invoice", data=raw, headers=AS_ALICE)
    assert await failure(answer) == (400, "invalid_json")


async def test_the_content_type_is_not_judged(client: ClientSession) -> None:
    headers = {**AS_ALICE, "Content-Type": "text/plain; charset=utf-16"}
    answer = await client.post("/api/invoice", data=b'{"amountSat": 1}', headers=headers)
    assert answer.status == 200


async def test_the_same_sale_again_gives_the_same_invoice(client: ClientSession) -> None:
    first, second = await post(client, SALE), await post(client, SALE)
    assert await first.json() == await second.json()


async def test_another_sale_of_the_same_name_is_a_conflict(client: ClientSession) -> None:
    await post(client, SALE)
    answer = await post(client, {**SALE, "amountSat": 22})
    assert await failure(answer) == (409, "external_id_conflict")


async def test_phoenixd_is_refused_while_none_is_set_up(client: ClientSession) -> None:
    answer = await post(client, {"amountSat": 1, "source": "phoenixd"})
    assert await failure(answer) == (409, "source_unavailable")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nobodys-token",
        "Basic alice-token",
        "alice-token",
        "Bearer alice-token bob-token",
        "Bearer \xe9\xff",
        "Bearer " + "x" * 513,
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/invoice"),
        ("GET", "/api/invoice"),
        ("GET", "/api/invoice/sale-1"),
        ("DELETE", "/api/invoice/sale-1"),
        ("GET", "/api/invoice/sale-1/qr.svg"),
    ],
)
async def test_without_a_pos_token_nothing_is_done(
    client: ClientSession, service: FakeService, method: str, path: str, authorization: str | None
) -> None:
    service.sale()
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await client.request(method, path, headers=headers, json=SALE)
    assert await failure(answer) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert service.sales.invoices[0].state is InvoiceState.PENDING


async def test_a_token_that_is_too_long_is_not_looked_up(
    client: ClientSession, service: FakeService
) -> None:
    await client.get("/api/invoice", headers={"Authorization": "Bearer " + "x" * 513})
    assert service.sales.tokens_asked == []


async def test_the_scheme_is_known_in_any_case(client: ClientSession) -> None:
    answer = await client.get("/api/invoice", headers={"Authorization": "bEARER  alice-token"})
    assert answer.status == 200


async def test_a_snapshot_says_how_the_invoice_stands(
    client: ClientSession, service: FakeService
) -> None:
    invoice = service.sale()
    service.sales.change(invoice, state=InvoiceState.PAID, paid_at=NOW)
    answer = await client.get("/api/invoice/sale-1", headers=AS_ALICE)
    assert (answer.status, await answer.json()) == (
        200,
        {
            "success": True,
            "externalId": "sale-1",
            "status": "paid",
            "amountSat": 21,
            "paymentHash": f"{1:064x}",
            "invoice": "lnbc1n1qqqsyq",
            "expiresAt": "2026-01-31T12:15:00.000Z",
            "paidAt": "2026-01-31T12:00:00.000Z",
            "forwardedAt": None,
        },
    )


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({}, "pending"),
        ({"state": InvoiceState.EXPIRED}, "expired"),
        ({"state": InvoiceState.CANCELLED}, "cancelled"),
        ({"state": InvoiceState.PAID, "paid_at": NOW, "forwarded_at": NOW}, "forwarded"),
    ],
)
async def test_every_state_has_its_status(
    client: ClientSession, service: FakeService, parts: dict[str, Any], status: str
) -> None:
    service.sales.change(service.sale(), **parts)
    answer = await client.get("/api/invoice/sale-1", headers=AS_ALICE)
    assert (await answer.json())["status"] == status


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "name", ["sale-2", "%00", "%ff", "%zz", "%", "a%2Fb", "%2e%2e", "\N{PILE OF POO}", "x" * 4000]
)
async def test_an_unknown_invoice_is_not_found(
    client: ClientSession, service: FakeService, method: str, name: str
) -> None:
    service.sale()
    answer = await client.request(method, f"/api/invoice/{name}", headers=AS_ALICE)
    assert await failure(answer) == (404, "not_found")


@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("DELETE", ""), ("GET", "/qr.svg")])
async def test_an_invoice_of_somebody_else_is_not_found(
    client: ClientSession, service: FakeService, method: str, end: str
) -> None:
    service.sale()
    answer = await client.request(method, f"/api/invoice/sale-1{end}", headers=AS_BOB)
    assert await failure(answer) == (404, "not_found")
    assert service.sales.invoices[0].state is InvoiceState.PENDING


async def test_a_cancelled_invoice_is_shown_as_cancelled(
    client: ClientSession, service: FakeService
) -> None:
    service.sale()
    answer = await client.delete("/api/invoice/sale-1", headers=AS_ALICE)
    assert (answer.status, (await answer.json())["status"]) == (200, "cancelled")


async def test_a_paid_invoice_is_not_cancelled(client: ClientSession, service: FakeService) -> None:
    service.sales.change(service.sale(), state=InvoiceState.PAID)
    answer = await client.delete("/api/invoice/sale-1", headers=AS_ALICE)
    assert await failure(answer) == (409, "already_paid")


async def test_the_list_has_the_newest_first_and_no_one_elses(
    client: ClientSession, service: FakeService
) -> None:
    for number in range(3):
        service.sale(f"sale-{number}")
    answer = await client.get("/api/invoice?limit=2", headers=AS_ALICE)
    body = await answer.json()
    assert set(body) == {"success", "invoices"}
    assert [one["externalId"] for one in body["invoices"]] == ["sale-2", "sale-1"]
    assert await (await client.get("/api/invoice", headers=AS_BOB)).json() == {
        "success": True,
        "invoices": [],
    }


@pytest.mark.parametrize("text", ["2026-01-31T12:00:02Z", "2026-01-31T14:00:02%2B02:00"])
async def test_the_list_begins_at_a_time_with_its_zone(
    client: ClientSession, service: FakeService, text: str
) -> None:
    for number in range(3):
        service.sale(f"sale-{number}")
    answer = await client.get(f"/api/invoice?from={text}", headers=AS_ALICE)
    assert len((await answer.json())["invoices"]) == 2
    assert service.sales.sinces == [NOW + timedelta(seconds=2)]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.0",
        "limit=1_0",
        "limit=%EF%BC%95",
        "limit=",
        "limit=" + "9" * 5000,
        "limit=1&limit=2",
        "from=",
        "from=yesterday",
        "from=1769860800",
        "from=2026-01-31",
        "from=2026-01-31T12:00:00",
        "from=0001-01-01T00:00:00%2B23:59",
        "from=9999-12-31T23:59:59-23:59",
        "from=%00",
        "before=1",
        "%ff=%ff",
    ],
)
async def test_a_wrong_query_is_refused(client: ClientSession, query: str) -> None:
    answer = await client.get(f"/api/invoice?{query}", headers=AS_ALICE)
    assert await failure(answer) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (Refused(Refusal("INVALID_INPUT", "Memo too long")), 502, "blink_refused"),
        (Refused(Refusal("TOO_MANY_REQUEST", "Too many")), 429, "blink_busy"),
        (Refused(Refusal("THROTTLED", "HTTP status 429")), 429, "blink_busy"),
        (NeverSent("cannot reach 10.0.0.1"), 503, "blink_unavailable"),
        (Unknown("no answer"), 503, "blink_unavailable"),
        (OperationalError("SELECT", {}, Exception("locked")), 503, "unavailable"),
        (ConnectionRefusedError("postgres"), 503, "unavailable"),
        (KeyError("a mistake of ours"), 500, "internal_error"),
    ],
)
async def test_every_failure_has_its_answer(
    client: ClientSession, service: FakeService, raised: Exception, status: int, code: str
) -> None:
    service.sales.failure = raised
    answer = await post(client, SALE)
    assert await failure(answer) == (status, code)
    assert ("Retry-After" in answer.headers) == (status in (429, 503))
    told = await message(answer)
    assert all(secret not in told for secret in ("10.0.0.1", "SELECT", "postgres", "mistake"))


async def test_a_refusal_is_told_in_blinks_words(
    client: ClientSession, service: FakeService
) -> None:
    service.sales.failure = Refused(Refusal("INVALID_INPUT", "Memo too long"))
    assert "Memo too long" in await message(await post(client, SALE))
