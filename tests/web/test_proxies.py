"""Who is believed about where a call comes from."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from aiohttp import ClientSession

from forwarder.web import proxies
from forwarder.web.proxies import farthest
from tests.web.fakes import FakeService

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::1/128"))


@pytest.mark.parametrize(
    ("remote", "forwarded", "found"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # anybody can write the header
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["127.0.0.1", "198.51.100.1"], "198.51.100.1"),  # the client's own fiction
        ("10.0.0.1", ["198.51.100.1", "10.0.0.2"], "198.51.100.1"),  # two proxies of ours
        ("10.0.0.1", ["10.0.0.3", "10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1", "nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("fd00::1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        (None, ["198.51.100.1"], "unknown"),
    ],
)
def test_only_a_trusted_proxy_is_believed(
    remote: str | None, forwarded: list[str], found: str
) -> None:
    assert farthest(remote, forwarded, PROXIES) == found


class Call:
    """A call as far as it matters here."""

    def __init__(self, remote: str) -> None:
        self.remote = remote


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("198.51.100.1", "198.51.100.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
    ],
)
def test_the_addresses_of_one_customer_count_as_one(
    monkeypatch: pytest.MonkeyPatch, one: str, other: str, same: bool
) -> None:
    monkeypatch.setattr(proxies, "address", lambda call: call.remote)
    callers = [proxies.caller(Call(address)) for address in (one, other)]  # type: ignore[arg-type]
    assert (callers[0] == callers[1]) is same


FROM_A_PAGE = {"Origin": "https://shop.example", "X-Forwarded-Host": "shop.example"}


async def test_the_host_that_a_page_has_asked_for_is_told_by_the_proxy(
    client: ClientSession, service: FakeService
) -> None:
    refused = await client.get("/ws", headers=FROM_A_PAGE)
    assert refused.status == 403
    service.settings.trusted_proxies = (ip_network("127.0.0.1"),)
    taken = await client.get("/ws", headers=FROM_A_PAGE)
    assert taken.status == 426


async def test_only_who_speaks_tls_is_told_to_stay_with_it(
    client: ClientSession, service: FakeService
) -> None:
    by_tls, stay = {"X-Forwarded-Proto": "https"}, "Strict-Transport-Security"
    assert stay not in (await client.get("/livez", headers=by_tls)).headers
    service.settings.trusted_proxies = (ip_network("127.0.0.1"),)
    assert stay in (await client.get("/livez", headers=by_tls)).headers
    assert stay not in (await client.get("/livez")).headers


async def test_every_answer_is_shut_against_browsers(client: ClientSession) -> None:
    for path in ("/livez", "/nothing", "/api/invoice"):
        headers = (await client.get(path)).headers
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
