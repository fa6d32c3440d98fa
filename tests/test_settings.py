"""The settings, and the example that shows them."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from forwarder.settings import Settings, SettingsError

EXAMPLE = Path(__file__).parents[1] / ".env.example"


def shown() -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def test_the_example_shows_every_setting_and_no_other() -> None:
    assert set(shown()) == {name.upper() for name in Settings.model_fields}


def test_the_example_shows_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in shown().items():
        monkeypatch.setenv(name, value)
    assert Settings.read() == Settings()


def test_everything_that_is_wrong_is_told_at_once_and_no_secret_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "seventy")
    monkeypatch.setenv("BLINK_API_URL", "ftp://blink")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("BLINKPOS_API_KEY", "x" * 600)
    with pytest.raises(SettingsError) as told:
        Settings.read()
    for name in ("PORT", "BLINK_API_URL", "LOG_LEVEL", "BLINKPOS_API_KEY"):
        assert name in str(told.value)
    assert "xxx" not in str(told.value)


@pytest.mark.parametrize("alone", ["MERCHANT_API_KEY", "POS_TOKEN"])
def test_half_a_merchant_is_refused(monkeypatch: pytest.MonkeyPatch, alone: str) -> None:
    monkeypatch.setenv(alone, "something-long")
    with pytest.raises(SettingsError, match="together"):
        Settings.read()


@pytest.mark.parametrize("origin", ["https://pos.example/", "pos.example", "*"])
def test_an_origin_has_no_path(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", f"https://a.example,{origin}")
    with pytest.raises(SettingsError, match="ALLOWED_ORIGINS"):
        Settings.read()


def test_several_values_are_read_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("FORWARDER_SECRET_KEY", "newest,older")
    settings = Settings.read()
    assert settings.allowed_origins == ("https://a.example", "https://b.example")
    secrets = [secret.get_secret_value() for secret in settings.keyring().secrets]
    assert secrets == ["newest", "older"]


def test_a_secret_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite+aiosqlite:///{tmp_path}/forwarder.db")
    first, second = settings.keyring(), settings.keyring()
    assert first == second
    kept = tmp_path / "forwarder.key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(first.secrets[0].get_secret_value()) >= 48
