"""A connection that wastes our time is closed, and there is an end to their number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import cast

import pytest
from aiohttp import ClientSession
from yarl import URL

from forwarder.web import connections, server
from forwarder.web.crowd import Crowd
from forwarder.web.server import Server
from forwarder.worker.service import Service
from tests.web.fakes import FakeService

GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def connected(
    serving: Server,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    url = URL(serving.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), 5) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET /livez HT", GET[:-2], GET + GET[:-2]])
async def test_a_head_that_does_not_come_to_its_end_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    async with connected(server) as (reader, writer):
        writer.write(sent)
        if sent.startswith(GET):
            await reader.readuntil(b'"ok"}')
            writer.write(b"X")
        assert await is_closed(reader)


async def test_a_head_that_dribbles_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    async with connected(server) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nA: ")
        closing = asyncio.create_task(is_closed(reader))
        while not closing.done():
            writer.write(b"X")
            await asyncio.sleep(0.01)
        assert await closing


async def test_a_connection_between_two_requests_may_rest(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    async with connected(server) as (reader, writer):
        for _ in range(3):
            writer.write(GET)
            await asyncio.wait_for(reader.readuntil(b'"ok"}'), 5)
            await asyncio.sleep(0.15)


async def test_a_websocket_may_be_silent(
    client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    async with client.ws_connect("/ws") as ws:
        await ws.receive_json()
        await asyncio.sleep(0.2)
        await ws.send_str("{}")
        assert (await ws.receive_json(timeout=5))["type"] == "error"


@pytest.mark.parametrize("name", ["MAX_OF_PEER", "MAX_CONNECTIONS"])
async def test_one_connection_too_many_is_closed_and_the_others_go_on(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(server, name, 2)
    async with (
        Server.serve(cast(Service, service), "127.0.0.1", 0) as serving,
        connected(serving) as first,
    ):
        async with connected(serving):
            async with connected(serving) as third:
                assert await is_closed(third[0])
            first[1].write(GET)
            await asyncio.wait_for(first[0].readuntil(b'"ok"}'), 5)
        async with asyncio.timeout(5):
            while not await _answers(serving):
                pass


async def test_a_trusted_proxy_may_have_more(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_OF_PEER", 0)
    service.settings.trusted_proxies = (ip_network("127.0.0.0/8"),)
    async with Server.serve(cast(Service, service), "127.0.0.1", 0) as serving:
        assert await _answers(serving)


async def _answers(serving: Server) -> bool:
    async with connected(serving) as (reader, writer):
        try:
            writer.write(GET)
            await reader.readuntil(b'"ok"}')
        except (ConnectionError, asyncio.IncompleteReadError):
            return False
        return True


def test_a_place_that_everyone_has_left_is_forgotten() -> None:
    crowd = Crowd(3, 2)
    assert [crowd.enter(place) for place in ("a", "a", "a", "b", "c")] == [
        True,
        True,
        False,
        True,
        False,
    ]
    for place in ("a", "a", "b"):
        crowd.leave(place)
    assert not crowd._places
    assert not crowd.is_full
