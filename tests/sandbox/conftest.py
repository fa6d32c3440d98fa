from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from forwarder.sandbox import Sandbox, Timing
from tests.sandbox.client import Clock, Shop

SHORT = Timing(lock_pause=0.01, lock_jitter=0.003, init_timeout=0.1)


@pytest.fixture
async def world() -> AsyncIterator[Shop]:
    clock = Clock()
    async with (
        Sandbox.serve(clock=clock, seed=7, timing=SHORT) as sandbox,
        ClientSession() as http,
    ):
        yield Shop(sandbox, clock, http)
        sandbox.verify()
