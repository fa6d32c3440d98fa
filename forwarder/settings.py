"""Every setting, read once from the environment, with all that is wrong told at once."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from yarl import URL

from forwarder.model.keyring import Keyring
from forwarder.model.merchant import is_name
from forwarder.model.signature import SVIX_SECRET
from forwarder.model.units import WalletId

Network = IPv4Network | IPv6Network


def _words(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """Several values in one variable, apart by commas or spaces."""
    return tuple(text.replace(",", " ").split()) if isinstance(text, str) else text


def _networks(text: str | tuple[Network, ...]) -> tuple[Network, ...]:
    """Addresses and networks; an address is a network of one."""
    if not isinstance(text, str):
        return text
    try:
        return tuple(ip_network(word) for word in _words(text))
    except ValueError:
        raise ValueError("must be addresses or networks, like 10.0.0.1 or 10.0.0.0/8") from None


def _has_host(text: str) -> bool:
    try:
        return text.isascii() and text.isprintable() and bool(URL(text).host)
    except ValueError:
        return False


def _address(*schemes: str) -> Callable[[str], str]:
    """Check that a setting is the address of a service."""

    def check(text: str) -> str:
        if not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"must begin with {' or '.join(f'{s}://' for s in schemes)}")
        if not _has_host(text):
            raise ValueError("must be an address with a host")
        return text

    return check


def _sendable(secret: SecretStr) -> SecretStr:
    """Check that a key or token can stand in a header."""
    if not re.fullmatch(r"[\x21-\x7e]+", secret.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces")
    return secret


def _svix_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not all(SVIX_SECRET.fullmatch(secret.get_secret_value()) for secret in secrets):
        raise ValueError("must be whsec_ and base64, or several of them, newest first")
    return secrets


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"https?://[^/\s]+", origin) for origin in origins):
        raise ValueError("must be origins like https://pos.example, without a path")
    return origins


def _file(text: str) -> Path:
    try:
        if Path(text).is_file():
            return Path(text)
    except (OSError, ValueError):
        pass
    raise ValueError("must be the path of a file")


HttpUrl = Annotated[str, AfterValidator(_address("http", "https"))]
WsUrl = Annotated[str, AfterValidator(_address("ws", "wss"))]
Wallet = Annotated[WalletId, StringConstraints(pattern=r"^[0-9a-fA-F-]{36}$", to_lower=True)]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=512), AfterValidator(_sendable)]
SvixSecrets = Annotated[
    tuple[SecretStr, ...], NoDecode, BeforeValidator(_words), AfterValidator(_svix_secrets)
]
File = Annotated[Path, BeforeValidator(_file)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_origins)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]

_KEY_FILE = "forwarder.key"


class SettingsError(Exception):
    """The environment cannot be used; the message lists everything that is wrong with it."""


class Settings(BaseSettings):
    """The settings, each under its name in the environment in lower case."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    blink_api_url: HttpUrl = "https://api.blink.sv/graphql"
    blink_ws_url: WsUrl = "wss://ws.blink.sv/graphql"
    blinkpos_api_key: Secret | None = None
    blinkpos_btc_wallet_id: Wallet | None = None
    blinkpos_read_api_key: Secret | None = None

    merchant_name: str = "merchant"
    merchant_api_key: Secret | None = None
    merchant_wallet_id: Wallet | None = None
    pos_token: Secret | None = None
    operator_token: Secret | None = None

    phoenixd_host: HttpUrl | None = None
    phoenixd_token: Secret | None = None
    phoenixd_webhook_secret: Secret | None = None
    blink_webhook_secret: SvixSecrets = ()

    forwarder_secret_key: SecretStr | None = None
    database_url: str = "sqlite+aiosqlite:///forwarder.db"

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 4000
    tls_cert_file: File | None = None
    tls_key_file: File | None = None
    trusted_proxies: Networks = ()
    allowed_origins: Origins = ()

    invoice_expiry_seconds: Seconds = 900
    reconcile_interval_seconds: Seconds = 300
    subscription_linger_seconds: Annotated[int, Field(ge=0, le=3_600)] = 0
    retry_max_seconds: Annotated[int, Field(ge=1, le=3_600)] = 60
    ws_require_token: bool = True

    log_format: Literal["text", "json"] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _parts_are_together(self) -> Self:
        if (self.merchant_api_key is None) is not (self.pos_token is None):
            raise ValueError("MERCHANT_API_KEY and POS_TOKEN make a merchant only together")
        if (self.phoenixd_host is None) is not (self.phoenixd_token is None):
            raise ValueError("PHOENIXD_HOST and PHOENIXD_TOKEN are of use only together")
        if (self.tls_cert_file is None) is not (self.tls_key_file is None):
            raise ValueError("TLS_CERT_FILE and TLS_KEY_FILE are of use only together")
        if not is_name(self.merchant_name):
            raise ValueError("MERCHANT_NAME must be 1 to 64 printable characters")
        return self

    @classmethod
    def read(cls) -> Settings:
        """The settings of this process. Raises `SettingsError`."""
        try:
            return cls()
        except ValidationError as exc:
            raise SettingsError(_explain(exc)) from None

    def keyring(self) -> Keyring:
        """The keys of this installation, made and kept at the first start if none are set.

        Raises `SettingsError` if the file that keeps them cannot be used.
        """
        text = self.forwarder_secret_key or SecretStr(_kept_secret(self._key_file()))
        values = _words(text.get_secret_value())
        if not values:
            raise SettingsError("FORWARDER_SECRET_KEY is empty")
        return Keyring(tuple(SecretStr(value) for value in values))

    def _key_file(self) -> Path:
        """Beside an embedded database, for one is of no use without the other."""
        url = make_url(self.database_url)
        if url.get_backend_name() == "sqlite" and url.database:
            return Path(url.database).with_name(_KEY_FILE)
        return Path(_KEY_FILE)


def _explain(exc: ValidationError) -> str:
    """One line for each thing that is wrong, without the values: they may be secrets."""
    lines = []
    for error in exc.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in error["loc"][:1]).upper()
        problem = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
        lines.append(f"{name}: {problem}" if name else problem)
    return "the environment is not usable:\n" + "\n".join(f"  {line}" for line in lines)


def _kept_secret(path: Path) -> str:
    try:
        # O_EXCL: of two processes that start together, one makes the secret and both use it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    except OSError as exc:
        raise SettingsError(f"cannot keep a secret key in {path}: {exc.strerror}") from exc
    secret = secrets.token_urlsafe(48)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
        # A database that outlives its secret is of little use.
        file.flush()
        os.fsync(file.fileno())
    return secret
