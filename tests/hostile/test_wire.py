"""What no client sends, over a socket of our own, to the real application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import product
from urllib.parse import quote

import pytest

from tests.databases import Cluster
from tests.hostile import shop
from tests.hostile.shop import OPERATOR_TOKEN, Shop, judge


@pytest.fixture
async def open_shop() -> AsyncIterator[Shop]:
    async with shop.opened() as one:
        yield one


@pytest.mark.parametrize("path", ["/livez", "/api/invoice", "/nothing/at/all"])
async def test_an_expectation_that_has_no_encoding_is_not_a_failure_of_ours(
    open_shop: Shop, path: str
) -> None:
    heard = await open_shop.say(
        b"GET "
        + path.encode()
        + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: \xff\r\n\r\n"
    )
    open_shop.look_at_the_log()
    assert heard is not None
    assert heard.status == 400
    judge(heard)


async def test_a_page_that_pings_and_goes_is_no_failure(open_shop: Shop) -> None:
    """Its pong finds nobody; a page that has gone is the most common thing there is."""
    ping = b"\x89\x80" + bytes(4)
    for _ in range(20):
        reader, writer = await asyncio.open_connection(open_shop.url.host, open_shop.url.port)
        writer.write(shop._written("GET", "/ws", shop._UPGRADE, b"", keep=True))
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(ping * 50)
        writer.transport.abort()
    await asyncio.sleep(0.2)
    open_shop.look_at_the_log()


QUESTIONS = ("search", "before", "state", "limit", "zone", "mystery")
NO_TEXT = ("\x00", "a\x00b", "\x1b[2J", "\x7f", "2026-01-31T12:00:00Z_\x00", "2026-01-31T12:00Z_'")


async def test_no_question_of_an_operators_is_too_strange_for_a_database(cluster: Cluster) -> None:
    """PostgreSQL keeps no NUL, and refuses a statement with one in it."""
    headers = [("Authorization", f"Bearer {OPERATOR_TOKEN}")]
    async with shop.opened(cluster.url(cluster.create("template0"))) as one:
        for name, value in product(QUESTIONS, NO_TEXT):
            target = f"/api/payments?{name}={quote(value)}"
            if (name, value[-1]) == ("search", "'"):
                continue  # a text like any other
            heard = await one.say(shop._written("GET", target, headers, b""))
            assert heard is not None
            assert heard.status == 400, (name, value)
            judge(heard)
