"""A real browser, visitors to send out with it, and the real process to visit."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
from filelock import FileLock
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.visitor import PHONE, Scheme, Visitor, visiting
from tests.e2e.conftest import World, open_world

NPM = Path(__file__).parent / "npm"
NAMES = ("chromium", "chromium-browser", "google-chrome")


expect.set_options(timeout=15_000)  # milliseconds; a machine may be busy with other tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of one worker's browser tests share a loop, and with it one browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The Chromium of the system."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "there is no Chromium here: install it, or leave these out with -m 'not browser'"
    # A container has its own walls, and its root is refused by Chromium's.
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


@pytest.fixture(scope="session")
def npm() -> Path:
    """The folder with what npm has installed: what the lock file names, and nothing else."""
    with FileLock(NPM / ".lock"):
        installed = NPM / "node_modules" / ".package-lock.json"
        wanted = NPM / "package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            subprocess.run(["npm", "ci", "--silent"], cwd=NPM, check=True)
    return NPM


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A service on a local Blink for all visitors, as in life: each sale is known by its hash."""
    async with open_world(tmp_path_factory.mktemp("world")) as opened:
        yield opened


class Visiting(Protocol):
    """Sends out one more visitor."""

    def __call__(
        self, *, scheme: Scheme = "light", size: dict[str, int] = PHONE
    ) -> AbstractAsyncContextManager[Visitor]: ...


@pytest_asyncio.fixture(loop_scope="session")
async def visits(chromium: Browser, world: World) -> Visiting:
    """Sends out visitors to the service."""
    return partial(visiting, chromium, world.forwarder.url)


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(visits: Visiting) -> AsyncIterator[Visitor]:
    """A visitor to the service."""
    async with visits() as sent:
        yield sent
