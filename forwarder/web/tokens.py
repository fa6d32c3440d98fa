"""Page tokens: what lets a page watch one invoice, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import jwt

from forwarder.model.invoice import PAGE_OUTLIVES_INVOICE, Invoice
from forwarder.model.keyring import Keyring

_ALGORITHM: Final = "HS256"
_AUDIENCE: Final = "page"
_CLAIMS: Final = ("sub", "aud", "iat", "exp")


class PageTokens:
    """Signs with the newest key, and knows what any of the keys has signed."""

    def __init__(self, keyring: Keyring) -> None:
        self._keys: Sequence[bytes] = keyring.keys("page tokens")

    def issue(self, invoice: Invoice, now: datetime) -> str:
        """A token for the page that shows this invoice."""
        claims = {
            "sub": str(invoice.id),
            "aud": _AUDIENCE,
            "iat": now,
            "exp": invoice.expires_at + PAGE_OUTLIVES_INVOICE,
        }
        return jwt.encode(claims, self._keys[0], algorithm=_ALGORITHM)

    def invoice_id(self, token: str, now: datetime) -> int | None:
        """The invoice that a token is for; None if it is not ours, or no longer good."""
        for key in self._keys:
            claims = _verified(token, key)
            if claims is not None:
                return int(claims["sub"]) if now.timestamp() < claims["exp"] else None
        return None


def _verified(token: str, key: bytes) -> dict[str, Any] | None:
    # The times are compared by the caller, for PyJWT knows only the machine's clock.
    options: jwt.types.Options = {
        "require": list(_CLAIMS),
        "verify_exp": False,
        "verify_iat": False,
        "strict_aud": True,
    }
    try:
        return jwt.decode(token, key, algorithms=[_ALGORITHM], audience=_AUDIENCE, options=options)
    except jwt.PyJWTError:
        return None
