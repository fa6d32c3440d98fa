"""A Lightning node, as far as invoices go: a key and the invoices it signs."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from coincurve import PrivateKey

from forwarder.sandbox import bolt11
from forwarder.sandbox.entropy import Entropy


class Node:
    def __init__(self, entropy: Entropy, network: bolt11.Network) -> None:
        self.network = network
        self._entropy = entropy
        self._key = PrivateKey(entropy.secret())
        self.id = self._key.public_key.format().hex()

    def terms(
        self,
        sats: int | None,
        description: str,
        now: datetime,
        expires_in: timedelta,
        description_hash: str | None = None,
    ) -> tuple[bolt11.Terms, str]:
        """Terms of a new invoice, and the preimage of its payment hash in hex."""
        preimage = self._entropy.secret()
        terms = bolt11.Terms(
            network=self.network,
            payment_hash=hashlib.sha256(preimage).hexdigest(),
            payment_secret=self._entropy.secret().hex(),
            sats=sats,
            description=description,
            created_at=now,
            expires_in=expires_in,
            description_hash=description_hash,
        )
        return terms, preimage.hex()

    def sign(self, terms: bolt11.Terms) -> str:
        return bolt11.encode(terms, self._key)
