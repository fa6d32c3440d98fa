"""What comes over the websocket is bad input: it is read, noticed as a gap, or ends in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import pytest
from aiohttp import web
from pydantic import SecretStr

from forwarder.blink import updates
from forwarder.blink.errors import Disconnected
from forwarder.blink.updates import Gap, Settled, SignOfLife, Update, Updates
from forwarder.model.forward import ForwardState
from tests.hostile.frames import (
    FRAMES,
    GREETINGS,
    HONEST,
    ME,
    Chatterbox,
    Frame,
    next_frame,
    receipt,
)
from tests.hostile.house import opened
from tests.hostile.impostor import serving
from tests.hostile.mangle import HASH, mangled

KEY: Final = "canary-blink-key-7777"
SEEDED: Final = 60  # connections, each of which says several mangled things
SAID_AT_ONCE: Final = 25


async def hear(url: str, seconds: float = 2.5) -> list[Update | Disconnected]:
    """Everything that a connection tells, up to the honest receipt or to its end."""
    told: list[Update | Disconnected] = []
    try:
        async with asyncio.timeout(seconds), Updates.connect(url, SecretStr(KEY)) as connection:
            async for update in connection:
                told.append(update)
                if isinstance(update, Settled) and update.entry.payment_hash == HASH:
                    return told
    except Disconnected as exc:
        told.append(exc)
    return told


@pytest.fixture
def box() -> Chatterbox:
    return Chatterbox()


async def listen(box: Chatterbox) -> list[Update | Disconnected]:
    async with serving(box.upgrade) as origin:
        return await hear(f"ws://{origin}/graphql")


def is_in_order(told: Sequence[Update | Disconnected]) -> bool:
    """It has come to the honest receipt, or to an end that the caller can deal with."""
    return isinstance(told[-1], Settled | Disconnected)


@pytest.mark.parametrize("name", FRAMES)
async def test_strange_frames_are_passed_over_or_end_the_connection(
    box: Chatterbox, name: str
) -> None:
    box.frames = FRAMES[name]
    told = await listen(box)
    assert is_in_order(told), told[-1]


@pytest.mark.parametrize(
    "name",
    [
        *("an amount of text", "an amount of a fraction", "no amount", "a short hash"),
        *("an unknown direction", "an unknown update", "an update without its type"),
        *("other data", "a hash in upper case"),
    ],
)
async def test_an_event_that_may_have_been_a_payment_is_noticed(box: Chatterbox, name: str) -> None:
    box.frames = FRAMES[name]
    told = await listen(box)
    assert any(isinstance(update, Gap | Disconnected) for update in told)


@pytest.mark.parametrize("amount", [10**13 + 1, 2**63, 10**30, -(10**30)])
async def test_an_amount_that_no_wallet_can_hold_is_not_understood(
    box: Chatterbox, amount: int
) -> None:
    """The database could not keep it, and whoever tried would die of it again and again."""
    box.frames = [next_frame(receipt(settlementAmount=amount))]
    told = await listen(box)
    assert isinstance(told[0], Gap | Disconnected)


@pytest.mark.parametrize("name", GREETINGS)
async def test_who_does_not_greet_is_left(
    box: Chatterbox, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "CONNECT_SECONDS", 0.5)
    box.greeting = GREETINGS[name]
    told = await listen(box)
    assert len(told) == 1
    assert isinstance(told[0], Disconnected)


async def test_mangled_events_are_read_or_noticed(box: Chatterbox) -> None:
    random = Random("events")  # noqa: S311 - replayable on purpose
    async with serving(box.upgrade) as origin:
        for n in range(SEEDED):
            frames: list[Frame] = [
                next_frame(mangled(random, receipt())) for _ in range(SAID_AT_ONCE)
            ]
            message = json.loads(random.choice(HONEST))
            frames.append(json.dumps(mangled(random, message)).replace("\\u003c", "<"))
            box.frames = frames
            told = await hear(f"ws://{origin}/graphql")
            assert told, f"round {n}: nothing at all was told"
            assert is_in_order(told), f"round {n}: {told[-1]}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_the_key_is_not_carried_to_where_a_handshake_points(status: int) -> None:
    elsewhere = Chatterbox()

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": f"ws://{origin}/graphql"})

    async with serving(elsewhere.upgrade) as origin, serving(refuse) as first:
        told = await hear(f"ws://{first}/graphql")
    assert isinstance(told[-1], Disconnected)
    assert elsewhere.connections == 0, "the subscription was made at another server"


@pytest.mark.parametrize(
    "response",
    [
        web.Response(text="<html>hello</html>", content_type="text/html"),
        web.Response(status=204),
        web.Response(status=418, body=b"\xff" * 100_000),
        web.Response(status=302, headers={"Location": ""}),
        web.Response(status=302, headers={"Location": "http://[::"}),
    ],
    ids=["page", "no-content", "teapot", "nowhere", "no-url"],
)
async def test_a_handshake_that_fails_in_any_way_is_a_disconnection(response: web.Response) -> None:
    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=response.status, body=response.body, headers=response.headers.copy()
        )

    async with serving(refuse) as origin:
        told = await hear(f"ws://{origin}/graphql")
    assert [type(update) for update in told] == [Disconnected]


@pytest.mark.parametrize("name", ["very deep JSON", "a flood", "a list"])
async def test_a_sale_is_forwarded_beside_a_websocket_that_raves(tmp_path: Path, name: str) -> None:
    """Each answer over HTTP is honest: catching up makes good what the websocket does not say."""
    box = Chatterbox(frames=FRAMES[name], then=[next_frame({"myUpdates": ME})])
    async with serving(box.upgrade) as origin, opened(tmp_path, f"ws://{origin}/") as house:
        await house.sell_and_pay([1_000, 1_001])
        assert not await house.until(ForwardState.FORWARDED, [1_000, 1_001], 12)
    assert box.connections <= 10


def test_a_price_is_a_sign_of_life() -> None:
    """The corpus is only worth something if its honest frames are understood."""
    frame = json.loads(HONEST[0])["payload"]["data"]
    assert isinstance(updates._read(frame), SignOfLife)
    frame = json.loads(HONEST[1])["payload"]["data"]
    assert isinstance(updates._read(frame), Settled)
