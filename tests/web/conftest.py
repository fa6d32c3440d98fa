"""A real server on loopback, and a client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest
from aiohttp import ClientSession

from forwarder.web.server import Server
from forwarder.worker.service import Service
from tests.web.fakes import FakeService


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
async def server(service: FakeService) -> AsyncIterator[Server]:
    async with Server.serve(cast(Service, service), "127.0.0.1", 0) as serving:
        yield serving


@pytest.fixture
async def client(server: Server) -> AsyncIterator[ClientSession]:
    async with ClientSession(server.url) as session:
        yield session
