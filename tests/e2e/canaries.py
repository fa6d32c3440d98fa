"""Secrets that can be recognised wherever they come to light, and the search for them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import SecretStr

from forwarder.model.keyring import Keyring
from forwarder.settings import Settings
from tests.e2e.conftest import World

NEWEST, OLDER = "canary-newest-secret-0123456789", "canary-older-secret-0123456789"
DATABASE_PASSWORD = "canary-database-password"
WEBHOOK_KEY = b"canary-webhook-key-of-blink"

# What a fingerprint of the secret is made from may be kept; what encrypts and signs may not.
_PURPOSES = ("keys at rest", "page tokens", "sale", "merchant", "forward")

# Each secret setting, and a value of it that a running service can work with.
MADE: Mapping[str, Callable[[World], str]] = {
    "blinkpos_api_key": lambda world: world.blink.create_key(world.pos),
    "blinkpos_read_api_key": lambda world: world.blink.create_key(world.pos, ["READ"]),
    "merchant_api_key": lambda world: world.blink.create_key(world.merchant),
    "pos_token": lambda _: "canary-pos-token-of-the-settings",
    "operator_token": lambda _: "canary-operator-token-of-the-settings",
    "phoenixd_token": lambda _: "canary-password-of-the-node",
    "phoenixd_webhook_secret": lambda _: "canary-webhook-secret-of-the-node",
    "blink_webhook_secret": lambda _: f"whsec_{base64.b64encode(WEBHOOK_KEY).decode()}",
    "forwarder_secret_key": lambda _: f"{NEWEST},{OLDER}",
}


def secret_settings() -> set[str]:
    """The settings that are secrets, by their types."""
    return {
        name for name, setting in Settings.model_fields.items() if _is_secret(setting.annotation)
    }


def _is_secret(annotation: Any) -> bool:  # noqa: ANN401 - any type there is
    return annotation is SecretStr or any(_is_secret(part) for part in get_args(annotation))


@dataclass
class Canaries:
    """Secrets by their names, and everything that was seen of the service, by where."""

    secrets: dict[str, bytes] = field(default_factory=dict)
    seen: dict[str, bytes] = field(default_factory=dict)
    allowed: set[tuple[str, str]] = field(default_factory=set)
    """Where a secret is handed to whom it belongs to: the beginning of a place, and its name."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Canaries:
        """The secrets of these settings, with the keys that are derived from one."""
        made = cls()
        for name in MADE:
            for place, value in enumerate(environment[name.upper()].split(","), 1):
                made.secrets[f"{name} {place}"] = value.encode()
        made.secrets["key of Blink's webhook"] = WEBHOOK_KEY
        keyring = Keyring((SecretStr(NEWEST), SecretStr(OLDER)))
        for purpose in _PURPOSES:
            for place, key in enumerate(keyring.keys(purpose), 1):
                made.secrets[f"key {place} for {purpose}"] = key
        return made

    def see(self, place: str, text: bytes) -> None:
        """Keep what was seen somewhere."""
        self.seen[place] = self.seen.get(place, b"") + text

    def found(self) -> list[str]:
        """Which secret stands where it must not."""
        return [
            f"{name} in {place}"
            for place, text in self.seen.items()
            for name, secret in self.secrets.items()
            if any(form in text for form in _forms(secret)) and not self._is_allowed(place, name)
        ]

    def _is_allowed(self, place: str, name: str) -> bool:
        return any(place.startswith(begin) and name.startswith(one) for begin, one in self.allowed)


def _forms(secret: bytes) -> Iterator[bytes]:
    """A secret as it is, and as it may be disguised."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield base64.b64encode(secret).rstrip(b"=")
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")
