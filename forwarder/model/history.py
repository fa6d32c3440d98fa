"""How far back a wallet's ledger was looked through for sales that our database does not have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What the look has found."""

    WHOLE = "whole"
    """All sales of a forwarder's that the ledger has are kept here."""
    LOST = "lost"
    """There are some that are not: the database is not the one that made them."""


@dataclass(frozen=True, slots=True)
class History:
    """Where a look stands: after so many entries, at the ledger's own `cursor`."""

    cursor: str | None = None
    entries: int = 0
    outcome: Outcome | None = None
