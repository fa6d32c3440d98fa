"""What every test can rely on: a clean environment."""

from __future__ import annotations

import os

import pytest

from forwarder.settings import Settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must change no test, and no test may reach a real Blink."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    assert "BLINKPOS_API_KEY" not in os.environ
