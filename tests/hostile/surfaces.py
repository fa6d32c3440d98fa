"""Where bad input comes in, and how much of what is generated comes in there.

An input has a number. The number says which way it takes, and is the seed of all that is random
about it: the same number is the same input, whatever was played before it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from random import Random
from typing import Final

import structlog

from tests.hostile import blink, environment, invoices, node, shop, web
from tests.hostile.shop import Shop

Play = Callable[[Random], Awaitable[None]]
"""Makes one input, has it taken in, and raises if that breaks a promise."""


@dataclass(frozen=True, slots=True)
class Surface:
    """One way in. What it needs is there while it is open; at its end its books are judged."""

    name: str
    share: int
    """How many of each `ROUND` inputs take it: most go where they are cheap and telling."""
    open: Callable[[], AbstractAsyncContextManager[Play]]


@asynccontextmanager
async def _reader(play: Play) -> AsyncIterator[Play]:
    """A reader by itself: it needs nothing, and what it logs is of no interest."""
    with structlog.testing.capture_logs() as log:

        async def quietly(random: Random) -> None:
            await play(random)
            log.clear()

        yield quietly


@asynccontextmanager
async def _wire(play: Callable[[Shop, Random], Awaitable[None]]) -> AsyncIterator[Play]:
    """The real application, over real sockets."""
    async with shop.opened() as one:
        yield partial(play, one)


def _read(name: str, share: int, play: Play) -> Surface:
    return Surface(name, share, partial(_reader, play))


def _sent(name: str, share: int, play: Callable[[Shop, Random], Awaitable[None]]) -> Surface:
    return Surface(name, share, partial(_wire, play))


SURFACES: Final = (
    _read("Blink's answers", 240, blink.read_answer),
    _read("Blink's events", 100, blink.read_event),
    _read("phoenixd's answers", 160, node.read_answer),
    _read("Lightning invoices", 110, invoices.read_invoice),
    _read("bodies", 140, web.read_body),
    _read("queries", 80, web.read_query),
    _read("page tokens", 45, web.read_token),
    _read("signatures", 25, web.read_signature),
    _read("webhooks' bodies", 25, web.read_webhook),
    _read("forwarded addresses and ids", 20, web.read_forwarded),
    _read("pages' messages", 12, web.read_frame),
    _read("environments", 8, environment.read_environment),
    _sent("HTTP calls", 25, Shop.take_call),
    _sent("webhooks", 5, Shop.take_webhook),
    _sent("websocket frames", 5, Shop.take_frames),
)
ROUND: Final = sum(surface.share for surface in SURFACES)

_TURNS: Final = tuple(chain.from_iterable(repeat(one, one.share) for one in SURFACES))


def surface_of(number: int) -> Surface:
    """The way that an input takes."""
    return _TURNS[number % ROUND]
