"""Which API key a POS page may have: one that can read BlinkPOS, and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from forwarder.model.units import WalletId

READ_ALONE: Final = ("READ",)


def objection(
    scopes: Collection[str], wallets: Collection[WalletId], pos_wallet: WalletId
) -> str | None:
    """Why a key must not be handed out, by what Blink says of it; None if it may be."""
    if set(scopes) != set(READ_ALONE):
        named = " and ".join(sorted(scopes)) or "nothing"
        return f"the key may {named}, and not READ alone"
    if pos_wallet not in wallets:
        return "the key belongs to another account than BLINKPOS_API_KEY"
    return None
