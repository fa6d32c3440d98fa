"""The keys that are derived from the service's one secret, and the names derived from them.

The secret may have several values while it is being rotated, newest first: the newest one makes new
things, all of them recognise old ones.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from forwarder.model.merchant import Merchant
from forwarder.model.units import PaymentHash

FORWARD: Final = "fwd-"
"""How the name of every forwarder's payout invoice begins."""

_FORWARD_NAME: Final = re.compile(rf"\b{FORWARD}([0-9a-f]{{40}})-(\d{{1,4}})-(\d{{1,4}})\b")
_SALE_NAME: Final = re.compile(r"pos-[0-9a-f]{16}-[0-9a-f]{40}")
_KEY_BYTES = 32
_NAME_HEX = 40  # 160 bits: no two names ever meet, and Blink takes externalIds of 100 characters


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every key of the service. `secrets` are the values of the secret, newest first."""

    secrets: tuple[SecretStr, ...]

    def newest(self) -> Keyring:
        """The newest value alone."""
        return Keyring(self.secrets[:1])

    def older(self) -> list[Keyring]:
        """Each of the other values alone, in their order."""
        return [Keyring((secret,)) for secret in self.secrets[1:]]

    def keys(self, purpose: str) -> Sequence[bytes]:
        """32 bytes for `purpose` from each value of the secret, newest first."""
        return [_derive(secret.get_secret_value(), purpose) for secret in self.secrets]

    def fingerprints(self) -> list[str]:
        """What can be kept of each value of the secret to know it again."""
        return [key.hex() for key in self.keys("fingerprint")]

    def fernet(self) -> MultiFernet:
        """The cipher for what is kept encrypted."""
        keys = self.keys("keys at rest")
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])

    def sale_name(self, merchant: str, external_id: str, attempt: int) -> str:
        """The externalId at Blink of a customer's invoice: shows whose sale it is to us alone."""
        sale = self._names("sale", f"{merchant}\n{external_id}\n{attempt}")[0]
        return self.sale_prefixes(merchant)[0] + sale

    def sale_prefixes(self, merchant: str) -> tuple[str, ...]:
        """How the names of a merchant's sales begin, by each key: newest first."""
        return tuple(f"pos-{name[:16]}-" for name in self._names("merchant", merchant))

    def seller(self, name: str | None, merchants: Iterable[Merchant]) -> Merchant | None:
        """Whose sale an invoice was made for, by its name at Blink; None if it was none of ours."""
        begun = name or ""
        sellers = (one for one in merchants if begun.startswith(self.sale_prefixes(one.name)))
        return next(sellers, None)

    def forward_name(self, payment_hash: PaymentHash, position: int, attempt: int) -> str:
        """The externalId at Blink of a payout invoice.

        Blink refuses a second invoice of the same name, and shows the name on our debit too.
        """
        return f"{self.forward_prefixes(payment_hash, position)[0]}{attempt}"

    def forward_prefixes(self, payment_hash: PaymentHash, position: int) -> tuple[str, ...]:
        """A payout invoice's name without its attempt, by each key: newest first."""
        names = self.forward_digests(payment_hash)
        return tuple(f"{FORWARD}{name}-{position}-" for name in names)

    def forward_digests(self, payment_hash: PaymentHash) -> list[str]:
        """What the names of a payment's payout invoices have in common, by each key."""
        return self._names("forward", payment_hash)

    def _names(self, purpose: str, text: str) -> list[str]:
        digests = (hmac.digest(key, text.encode(), "sha256") for key in self.keys(purpose))
        return [digest.hex()[:_NAME_HEX] for digest in digests]


@dataclass(frozen=True, slots=True)
class PayoutName:
    """The parts of a payout invoice's name. Only our keys show whether it is one of ours."""

    digest: str
    position: int
    attempt: int

    @property
    def stem(self) -> str:
        """The name without its attempt: what `forward_prefixes` gives."""
        return f"{FORWARD}{self.digest}-{self.position}-"


def payout_name(name: str | None) -> PayoutName | None:
    """The parts of a payout invoice's name; None for a name of anything else."""
    found = _FORWARD_NAME.fullmatch(name or "")
    return None if found is None else PayoutName(found[1], int(found[2]), int(found[3]))


def is_sale_name(name: str | None) -> bool:
    """Whether a forwarder has made an invoice of this name for a customer, this one or another."""
    return _SALE_NAME.fullmatch(name or "") is not None


def forward_name_in(text: str) -> str | None:
    """The name of a payout invoice that stands in a description."""
    found = _FORWARD_NAME.search(text)
    return None if found is None else found[0]


@cache
def _derive(secret: str, purpose: str) -> bytes:
    hkdf = HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"blink-pos-forwarder: {purpose}".encode())
    return hkdf.derive(secret.encode())
