"""Nothing that a client can send is answered with 500, or in another form than the contract's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from aiohttp import ClientSession, WSMsgType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from forwarder.web.server import Server
from forwarder.worker.service import Service
from tests.web.fakes import AS_ALICE, FakeService

QUICK = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

NAMES = ["amountSat", "description", "externalId", "expiresInSeconds", "source", "type", "token"]
TEXTS = st.text(st.characters(exclude_categories=()), max_size=50)  # lone surrogates too
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8
)
SALES = st.dictionaries(st.sampled_from(NAMES) | TEXTS, JSON | st.integers(0, 100), max_size=6)
BODIES = st.binary(max_size=200) | (JSON | SALES).map(lambda value: json.dumps(value).encode())

METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
SEGMENTS = st.sampled_from(["api", "invoice", "sale-1", "qr.svg", "ws", "livez", "status", ""])
RAW = st.text("abcXYZ019._-~%&=+;:@!$'()*,", max_size=20)
QUERIES = st.sampled_from(["", "?token=", "?from=", "?limit=", "?"])
PATHS = st.builds(
    lambda segments, query, end: "/" + "/".join(segments) + query + (end if query else ""),
    st.lists(SEGMENTS | RAW, max_size=4),
    QUERIES,
    RAW,
)
VALUES = st.text("".join(map(chr, range(0x20, 0x100))).replace("\x7f", ""), max_size=60)


class World:
    """A server and a client on a loop of their own, for tests that are not async."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.service = FakeService()
        self._serving = Server.serve(cast(Service, self.service), "127.0.0.1", 0)
        self.service.sale()

    async def open(self) -> None:
        self._server = await self._serving.__aenter__()
        self._client = ClientSession()

    async def close(self) -> None:
        await self._client.close()
        await self._serving.__aexit__(None, None, None)

    async def call(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        url = URL(self._server.url + path, encoded=True)
        async with self._client.request(
            method, url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            return answer.status, await answer.read()

    async def say(self, frames: list[str | bytes]) -> list[Any]:
        """What a page is answered to each of its messages."""
        async with self._client.ws_connect(f"{self._server.url}/ws") as ws:
            await ws.receive_json()
            answers = []
            for frame in frames:
                await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))
                heard = await ws.receive(timeout=5)
                assert heard.type is WSMsgType.TEXT
                answers.append(heard.json())
            return answers


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with asyncio.Runner() as runner:
        made = World(runner)
        runner.run(made.open())
        yield made
        runner.run(made.close())


def assert_is_an_error(status: int, raw: bytes) -> None:
    body = json.loads(raw)
    assert status not in (500, 502, 503)
    assert set(body) == {"success", "error"}
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] != "internal_error"


@QUICK
@given(body=BODIES)
def test_any_body(world: World, body: bytes) -> None:
    status, raw = world.runner.run(world.call("POST", "/api/invoice", body, AS_ALICE))
    if status != 200:
        assert status == 400
        assert_is_an_error(status, raw)


@QUICK
@given(method=METHODS, path=PATHS, authorised=st.booleans())
def test_any_path_and_method(world: World, method: str, path: str, authorised: bool) -> None:
    headers = AS_ALICE if authorised else {}
    status, raw = world.runner.run(world.call(method, path, None, headers))
    if status >= 400 and method != "HEAD":
        assert_is_an_error(status, raw)
    assert status < 500


@QUICK
@given(
    path=st.sampled_from(["/api/invoice", "/api/status", "/ws"]),
    name=st.sampled_from(
        ["Authorization", "Origin", "Host", "Expect", "Upgrade", "Sec-WebSocket-Key"]
    ),
    value=VALUES,
)
def test_any_header(world: World, path: str, name: str, value: str) -> None:
    status, raw = world.runner.run(world.call("GET", path, None, {name: value.strip()}))
    assert 400 <= status < 500
    assert_is_an_error(status, raw)


@QUICK
@given(frames=st.lists(TEXTS | BODIES | (JSON | SALES).map(json.dumps), max_size=5))
def test_any_message_of_a_page(world: World, frames: list[str | bytes]) -> None:
    sendable = [
        frame.encode(errors="replace").decode() if isinstance(frame, str) else frame
        for frame in frames
    ]
    for answer in world.runner.run(world.say(sendable)):
        assert answer["type"] == "error"
        assert answer["code"] in {"invalid_json", "invalid_request", "unauthorized"}
