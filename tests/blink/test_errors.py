"""What a failed call proves: it never left, it was refused, or nothing is known."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import ClientConnectorError, ClientOSError, ServerDisconnectedError, web
from aiohttp.client_reqrep import ConnectionKey
from gql.transport import exceptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from forwarder.blink import client as client_module
from forwarder.blink.client import BlinkClient
from forwarder.blink.errors import (
    BlinkError,
    Disconnected,
    NeverSent,
    Refused,
    Unknown,
    translate,
)
from forwarder.model.refusal import KEY_REFUSED, NOT_AUTHORIZED, THROTTLED, Refusal
from forwarder.model.units import PaymentHash, Sats, WalletId
from forwarder.sandbox import Fault
from tests.blink.conftest import Bank, Odd

WALLET = WalletId("00000000-0000-4000-8000-000000000000")
KEY = ConnectionKey("blink", 443, True, True, None, None, None)
REFUSED_CONNECTION = ClientConnectorError(KEY, OSError(111, "Connection refused"))


def caused(exc: Exception, cause: Exception) -> Exception:
    exc.__cause__ = cause
    return exc


SAMPLES: dict[type[Exception], list[tuple[Exception, type[BlinkError]]]] = {
    exceptions.TransportError: [(exceptions.TransportError("?"), Unknown)],
    exceptions.TransportProtocolError: [(exceptions.TransportProtocolError("HTML"), Unknown)],
    exceptions.TransportClosed: [(exceptions.TransportClosed("closed"), Unknown)],
    exceptions.TransportAlreadyConnected: [(exceptions.TransportAlreadyConnected("?"), Unknown)],
    exceptions.TransportServerError: [
        *((exceptions.TransportServerError("no", code), Refused) for code in (400, 401, 403, 404)),
        *((exceptions.TransportServerError("no", code), Refused) for code in (413, 422, 429)),
        *((exceptions.TransportServerError("?", code), Unknown) for code in (408, 409, 500, 502)),
        *((exceptions.TransportServerError("?", code), Unknown) for code in (503, 504, 302, None)),
    ],
    exceptions.TransportQueryError: [
        (exceptions.TransportQueryError("?", errors=None), Unknown),
        (exceptions.TransportQueryError("?", errors=[]), Unknown),
        (exceptions.TransportQueryError("?", errors=["odd", None, {"m": 1}]), Unknown),
        (exceptions.TransportQueryError("?", errors=[{"message": "oh"}]), Unknown),
        (exceptions.TransportQueryError("?", errors=[{"message": "Not authorized"}]), Refused),
        (
            exceptions.TransportQueryError("?", errors=[{"message": "(code: AuthorizationError)"}]),
            Refused,
        ),
    ],
    exceptions.TransportConnectionFailed: [
        (exceptions.TransportConnectionFailed("?"), Unknown),
        (caused(exceptions.TransportConnectionFailed("no"), REFUSED_CONNECTION), NeverSent),
        (caused(exceptions.TransportConnectionFailed("?"), ServerDisconnectedError()), Unknown),
        (caused(exceptions.TransportConnectionFailed("?"), ClientOSError(104, "reset")), Unknown),
        (caused(exceptions.TransportConnectionFailed("?"), TimeoutError()), Unknown),
        (caused(exceptions.TransportConnectionFailed("?"), TypeError("number")), Unknown),
    ],
}
FLAT = [pair for pairs in SAMPLES.values() for pair in pairs]


def test_every_exception_of_the_library_is_mapped() -> None:
    known = {it for _, it in inspect.getmembers(exceptions, inspect.isclass)}
    assert {it for it in known if issubclass(it, exceptions.TransportError)} == set(SAMPLES)


@pytest.mark.parametrize(("exc", "kind"), FLAT, ids=repr)
def test_an_exception_is_sorted_by_what_it_proves(exc: Exception, kind: type[BlinkError]) -> None:
    assert type(translate(exc)) is kind


@pytest.mark.parametrize(
    "exc",
    [TimeoutError(), AssertionError(), OSError(), KeyError("x"), RuntimeError(), ValueError()],
)
def test_what_nobody_has_thought_of_is_unknown(exc: Exception) -> None:
    assert type(translate(exc)) is Unknown


@pytest.mark.parametrize(
    "exc", [NeverSent(""), Unknown(""), Disconnected(""), Refused(Refusal("A", ""))]
)
def test_what_is_translated_stays_as_it_is(exc: BlinkError) -> None:
    assert translate(exc) is exc


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, KEY_REFUSED), (403, THROTTLED), (429, THROTTLED), (400, "HTTP_400")],
)
def test_a_refusal_at_the_door_says_what_to_do(status: int, code: str) -> None:
    exc = translate(exceptions.TransportServerError("no", status))
    assert isinstance(exc, Refused)
    assert exc.refusal.code == code
    assert code in str(exc)


def test_not_authorized_gets_the_code_that_blink_leaves_out() -> None:
    exc = translate(exceptions.TransportQueryError("", errors=[{"message": "Not authorized"}]))
    assert isinstance(exc, Refused)
    assert exc.refusal.code == NOT_AUTHORIZED


# Real answers of a real server


@asynccontextmanager
async def failing(kind: type[BlinkError]) -> AsyncIterator[None]:
    with pytest.raises(BlinkError) as caught:
        yield
    assert type(caught.value) is kind, caught.value
    assert "canary" not in str(caught.value)


async def pay(client: BlinkClient) -> object:
    return await client.pay_invoice(WALLET, "lnbcrt1something")


BODIES: list[tuple[int, str, str, type[BlinkError]]] = [
    (200, "text/html", "<html>Just a moment...</html>", Unknown),
    (200, "application/json", "", Unknown),
    (200, "application/json", "[]", Unknown),
    (200, "application/json", "[1]", Unknown),
    (200, "application/json", "17", Unknown),
    (200, "application/json", "true", Unknown),
    (200, "application/json", "null", Unknown),
    (200, "application/json", '"text"', Unknown),
    (200, "application/json", "{}", Unknown),
    (200, "application/json", '{"data": null}', Unknown),
    (200, "application/json", '{"data": {}}', Unknown),
    (200, "application/json", '{"data": []}', Unknown),
    (200, "application/json", '{"data": {"lnInvoicePaymentSend": null}}', Unknown),
    (200, "application/json", '{"errors": [{"message": "oh"}]}', Unknown),
    (200, "application/json", '{"errors": [{"message": "Not authorized"}]}', Refused),
    (200, "application/json", '{"errors": "Not authorized"}', Unknown),
    (200, "application/json", '{"data": null, "errors": null}', Unknown),
    (200, "application/json", '{"data": {"lnInvoicePaymentSend"', Unknown),
    (200, "application/json", '{"data": NaN}', Unknown),
    (200, "application/json", "\ufeff{}", Unknown),
    (204, "application/json", "", Unknown),
    (400, "application/json", '{"errors": [{"message": "bad"}]}', Unknown),
    (400, "text/html", "<html>", Refused),
    (401, "text/html", "<html>", Refused),
    (401, "application/json", '{"error": "Unauthorized"}', Refused),
    (403, "text/html", "<html>", Refused),
    (404, "text/html", "<html>", Refused),
    (408, "text/html", "<html>", Unknown),
    (409, "application/json", '{"error": "the key was used"}', Unknown),
    (429, "text/html", "<html>", Refused),
    (500, "text/html", "<html>", Unknown),
    (500, "application/json", '{"errors": [{"message": "oh"}]}', Unknown),
    (502, "text/html", "<html>", Unknown),
    (503, "text/html", "<html>", Unknown),
    (504, "text/html", "<html>", Unknown),
    (530, "text/html", "<html>", Unknown),
    (304, "text/html", "", Unknown),
]


@pytest.mark.parametrize(("status", "form", "body", "kind"), BODIES)
async def test_an_answer_is_sorted_by_what_it_proves(
    odd: Odd, oddly: BlinkClient, status: int, form: str, body: str, kind: type[BlinkError]
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body.encode(), status=status, content_type=form)

    odd.answer = answer
    async with failing(kind):
        await pay(oddly)


async def test_an_answer_with_a_deeply_nested_body_is_unknown(odd: Odd, oddly: BlinkClient) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"[" * 200_000, content_type="application/json")

    odd.answer = answer
    async with failing(Unknown):
        await pay(oddly)


async def test_a_huge_answer_is_unknown(odd: Odd, oddly: BlinkClient) -> None:
    odd.says({"data": {"lnInvoicePaymentSend": "x" * 8_000_000}})
    async with failing(Unknown):
        await pay(oddly)


async def _hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def _reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    response.content_type = "application/json"
    await response.prepare(request)
    await response.write(b'{"data": {')
    return await _hang_up(request)


async def _no_http(request: web.Request) -> web.StreamResponse:
    transport = request.transport
    assert isinstance(transport, asyncio.Transport)
    transport.write(b"220 mail.example.com ESMTP\r\n\r\n")
    return await _hang_up(request)


@pytest.mark.parametrize("answer", [_hang_up, _reset, _half, _no_http])
async def test_a_connection_that_breaks_proves_nothing(
    odd: Odd,
    oddly: BlinkClient,
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> None:
    odd.answer = answer
    async with failing(Unknown):
        await pay(oddly)
    assert len(odd.keys) == 1  # and nothing was sent a second time


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_in_a_circle_proves_nothing(
    odd: Odd, oddly: BlinkClient, status: int
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": str(request.url)})

    odd.answer = answer
    async with failing(Unknown):
        await pay(oddly)


async def test_a_redirect_takes_neither_key_nor_payment_anywhere(
    odd: Odd, oddly: BlinkClient
) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    odd.answer = answer
    async with failing(Unknown):
        await pay(oddly)
    assert len(asked) == 1


async def test_what_nobody_listens_for_was_never_sent(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/graphql"
    async with BlinkClient.connect(url, SecretStr("canary-key")) as client, failing(NeverSent):
        await pay(client)


async def test_a_host_that_does_not_exist_was_never_asked() -> None:
    url = "http://blink.invalid/graphql"
    async with BlinkClient.connect(url, SecretStr("canary-key")) as client, failing(NeverSent):
        await pay(client)


async def test_an_answer_that_does_not_come_in_time_is_unknown(
    odd: Odd, oddly: BlinkClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_answer = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        await may_answer.wait()
        return web.Response()

    odd.answer = answer
    monkeypatch.setattr(client_module, "_PAY", replace(client_module._PAY, seconds=0.05))
    async with failing(Unknown):
        await pay(oddly)
    may_answer.set()


async def test_a_call_that_is_cancelled_is_cancelled(odd: Odd, oddly: BlinkClient) -> None:
    asked = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    odd.answer = answer
    paying = asyncio.create_task(pay(oddly))
    await asked.wait()
    paying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await paying


# The same through the sandbox, with an invoice that could really be paid.

FAULTS: list[tuple[Fault, type[BlinkError]]] = [
    (Fault("lnInvoiceCreate", "refuse"), Unknown),
    (Fault("lnInvoiceCreate", "lost_answer"), Unknown),
    (Fault("lnInvoiceCreate", "half_answer"), Unknown),
    (Fault("lnInvoiceCreate", "html_200"), Unknown),
    (Fault("lnInvoiceCreate", "executed_then_500"), Unknown),
    (Fault("lnInvoiceCreate", "executed_then_graphql_error"), Unknown),
    (Fault("lnInvoiceCreate", "garbage"), Unknown),
    (Fault("lnInvoiceCreate", "null_data"), Unknown),
    (Fault("lnInvoiceCreate", "http_500"), Unknown),
    (Fault("lnInvoiceCreate", "http_502_html"), Unknown),
    (Fault("lnInvoiceCreate", "http_503"), Unknown),
    (Fault("lnInvoiceCreate", "graphql_error"), Unknown),
    (Fault("lnInvoiceCreate", "http_429"), Refused),
    (Fault("lnInvoiceCreate", "too_many_requests"), Refused),
    (Fault("lnInvoiceCreate", "lock_busy"), Refused),
    (Fault("lnInvoiceCreate", "failure_no_effect"), Refused),
]


@pytest.mark.parametrize(("fault", "kind"), FAULTS, ids=lambda it: getattr(it, "kind", ""))
async def test_a_fault_of_blinks_is_sorted_by_what_it_proves(
    bank: Bank, fault: Fault, kind: type[BlinkError]
) -> None:
    bank.blink.faults.add(fault)
    async with failing(kind):
        await bank.client.create_invoice(bank.wallet, Sats(1_000), "memo", 15, "name")
    executed = len(bank.blink.invoices(bank.wallet))
    assert kind is not Refused or executed == 0


# Whatever Blink may say

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
ANYWHERE = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NAMES = ("errors", "invoice", "success", "status", "transaction", "me", "defaultAccount", "edges")
SHAPED = JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON))

Ask = Callable[[BlinkClient], Awaitable[object]]


LONG_AGO = datetime.fromtimestamp(0, UTC)
HASH = PaymentHash("ab" * 32)


async def _entries(client: BlinkClient) -> object:
    return [page async for page in client.entries_since(WALLET, LONG_AGO)]


async def _invoices(client: BlinkClient) -> object:
    return [page async for page in client.invoices_since(WALLET, LONG_AGO)]


CALLS: dict[str, tuple[tuple[str, ...], Ask]] = {
    "create": (
        ("lnInvoiceCreate",),
        lambda client: client.create_invoice(WALLET, Sats(1), "", 1, "name"),
    ),
    "cancel": (("lnInvoiceCancel",), lambda client: client.cancel_invoice(WALLET, HASH)),
    "pay": (("lnInvoicePaymentSend",), pay),
    "entries": (("me", "defaultAccount", "transactions"), _entries),
    "invoices": (("me", "defaultAccount", "invoices"), _invoices),
    "hash": (
        ("me", "defaultAccount", "walletById", "transactionsByPaymentHash"),
        lambda client: client.entries_of(WALLET, HASH),
    ),
    "wallets": (("me", "defaultAccount", "wallets"), lambda client: client.btc_wallet()),
    "credentials": ((), lambda client: client.credentials()),
}


@pytest.mark.parametrize("name", CALLS)
@given(value=SHAPED)
@ANYWHERE
async def test_an_answer_that_is_not_understood_is_unknown_and_nothing_else(
    odd: Odd, oddly: BlinkClient, name: str, value: object
) -> None:
    path, ask = CALLS[name]
    if name == "hash" and value == []:
        return  # the one reply that is right: there are no entries
    body = value
    for part in reversed(path):
        body = {part: body}
    odd.says({"data": body})
    async with failing(Unknown):
        await ask(oddly)


@given(body=JSON | st.fixed_dictionaries({}, optional={"errors": JSON, "data": JSON}))
@ANYWHERE
async def test_a_body_that_is_not_understood_is_unknown_and_nothing_else(
    odd: Odd, oddly: BlinkClient, body: object
) -> None:
    odd.says(json.loads(json.dumps(body)))
    async with failing(Unknown):
        await pay(oddly)
