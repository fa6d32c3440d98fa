"""What every test can rely on: a clean environment, and what it wants of a database and the log."""

from __future__ import annotations

import faulthandler
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import hypothesis
import pytest
import structlog

from forwarder import logs
from forwarder.settings import Settings
from tests.databases import Cluster, serve_postgres

# A busy machine makes tests slow, and not red.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

TESTS: Final = Path(__file__).parent
TEARDOWN_SECONDS: Final = 120.0
MEASURED: Final = ("model", "store", "worker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each room be covered by its own tests; to trace all others too would cost minutes."""
    for item in items:
        if item.path.relative_to(TESTS).parts[0] not in MEASURED:
            item.add_marker("no_cover")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """End the process of a test that has failed and then hangs: nothing else would.

    Its time limit has struck by then, and pytest drops its own watch with the first exception.
    """
    faulthandler.dump_traceback_later(TEARDOWN_SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must change no test, and no test may reach a real Blink."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    assert "BLINKPOS_API_KEY" not in os.environ


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL server for all tests of a process."""
    with serve_postgres() as cluster:
        yield cluster


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that is logged when the service logs all it can."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("debug", "json")
    root.addHandler(caplog.handler)
    caplog.set_level(0)
    yield caplog
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
