"""The QR code of an invoice."""

from __future__ import annotations

import re
from xml.etree.ElementTree import fromstring

import pytest
import segno
from aiohttp import ClientSession

from forwarder.model.invoice import Invoice
from forwarder.web import qr
from tests.web.fakes import AS_ALICE, BOB, FakeService

REQUEST = "lnbc210n1" + "qpzry9x8gf2tvdw0s3jn54khce6mua7l" * 10


def drawn(svg: bytes, size: int) -> set[tuple[int, int]]:
    """The dark modules of a picture that segno has drawn: one horizontal stroke for each run."""
    path = fromstring(svg).findall("{http://www.w3.org/2000/svg}path")[-1]  # noqa: S314 - our own
    dark, x, y = set(), 0.0, 0.0
    for step, across, down in re.findall(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?", path.attrib["d"]):
        if step == "h":
            dark |= {(int(x) + offset, int(y)) for offset in range(int(across))}
            x += float(across)
        else:
            x, y = (
                (float(across), float(down))
                if step == "M"
                else (x + float(across), y + float(down))
            )
    assert all(0 <= column < size and 0 <= row < size for column, row in dark)
    return dark


def test_the_picture_shows_the_code_of_the_upper_case_invoice() -> None:
    expected = segno.make_qr(f"LIGHTNING:{REQUEST.upper()}", error="l")
    rows = list(expected.matrix_iter(border=4))
    dark = {(x, y) for y, row in enumerate(rows) for x, module in enumerate(row) if module}
    assert drawn(qr.svg(REQUEST), len(rows)) == dark


def test_it_takes_the_small_alphabet_and_scales() -> None:
    code = qr.code(REQUEST)
    assert code.mode == "alphanumeric"
    root = fromstring(qr.svg(REQUEST))  # noqa: S314 - our own
    side = code.symbol_size(border=4)[0]
    assert root.attrib["viewBox"] == f"0 0 {side} {side}"
    assert "width" not in root.attrib


def test_the_longest_invoice_still_fits() -> None:
    assert qr.code("lnbc" + "q" * 2_000).error in ("L", "M", "Q", "H")


async def test_the_pos_gets_it(client: ClientSession, service: FakeService) -> None:
    invoice = service.sale()
    answer = await client.get("/api/invoice/sale-1/qr.svg", headers=AS_ALICE)
    assert (answer.status, answer.content_type) == (200, "image/svg+xml")
    assert await answer.read() == qr.svg(invoice.payment_request)


async def test_the_page_gets_it_by_its_token(client: ClientSession, service: FakeService) -> None:
    token = service.token(service.sale())
    answer = await client.get(f"/api/invoice/sale-1/qr.svg?token={token}")
    assert (answer.status, answer.content_type) == (200, "image/svg+xml")


@pytest.fixture
def other(service: FakeService) -> Invoice:
    service.sale()
    return service.sale("sale-2", BOB)


async def test_the_token_of_another_invoice_does_not_open_it(
    client: ClientSession, service: FakeService, other: Invoice
) -> None:
    for token in (service.token(other), "", "x", "%00", "%F0%9F%92%A9", "x" * 600):
        answer = await client.get(f"/api/invoice/sale-1/qr.svg?token={token}")
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "unauthorized"
