"""Secrets at rest: encrypted, and bound to the row they belong to."""

from __future__ import annotations

from cryptography.fernet import InvalidToken
from pydantic import SecretStr

from forwarder.model.keyring import Keyring


class VaultError(Exception):
    """A kept secret cannot be read; says why."""


class Vault:
    """Seals secrets for one row each. A sealed secret that is copied to another row stays shut."""

    def __init__(self, keyring: Keyring) -> None:
        self._fernet = keyring.fernet()
        self._newest = keyring.newest().fernet()

    def seal(self, row: str, secret: SecretStr) -> str:
        """Encrypt a secret for the row of that name."""
        # Fernet binds no context, so the row's name goes into the plaintext.
        return self._fernet.encrypt(f"{row}\0{secret.get_secret_value()}".encode()).decode()

    def is_current(self, sealed: str) -> bool:
        """Whether it was encrypted under the newest value of the secret."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def open(self, row: str, sealed: str) -> SecretStr:
        """Decrypt the secret of that row. Raises `VaultError`."""
        try:
            bound, _, secret = self._fernet.decrypt(sealed).decode().partition("\0")
        except InvalidToken:
            raise VaultError(
                f"the secret of {row} was encrypted with another FORWARDER_SECRET_KEY; "
                "set the key that was used then, after the newest one"
            ) from None
        if bound != row:
            raise VaultError(f"the secret of {row} was copied from {bound}")
        return SecretStr(secret)
