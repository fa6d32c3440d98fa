"""What became of a rotation of the secret, and when an older value of it may go."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from forwarder.model.forward import FINAL, Forward
from forwarder.model.invoice import PAGE_OUTLIVES_INVOICE
from forwarder.model.keyring import Keyring
from forwarder.model.units import iso


@dataclass(frozen=True, slots=True)
class Older:
    """An older value of the secret, by its place in the setting, and what still needs it."""

    place: int
    reasons: list[str]

    @property
    def may_be_dropped(self) -> bool:
        """Whether nothing needs it any more."""
        return not self.reasons


@dataclass(slots=True)
class Rotation:
    """The merchants by what became of their API keys, and the older values."""

    resealed: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    """Were encrypted under the newest value already."""
    unreadable: list[str] = field(default_factory=list)
    """Are encrypted under a value that is not set."""
    older: list[Older] = field(default_factory=list)


def needs(
    value: Keyring,
    forwards: Collection[Forward],
    led_since: datetime,
    last_end: datetime | None,
    now: datetime,
) -> Iterator[str]:
    """What still needs an older value.

    `forwards` are those that are not settled and those made since the newest value took the lead
    at `led_since`; `last_end` is when the last invoice from before expires.
    """
    named = [
        f
        for f in forwards
        if f.external_id.startswith(value.forward_prefixes(f.payment_hash, f.position))
    ]
    waiting = sum(f.state not in FINAL for f in named)
    if waiting:
        yield f"{_count(waiting, 'forward')} under its names: not at an end yet"
    # Two processes that changed over one after the other: the one sold, the other paid.
    mixed = sum(f.state in FINAL and f.created_at >= led_since for f in named)
    if mixed:
        yield (
            f"{_count(mixed, 'payout')} under its names for newer sales: a database rebuilt from "
            "Blink without it would pay them again"
        )
    until = None if last_end is None else last_end + PAGE_OUTLIVES_INVOICE
    if until is not None and now < until:
        yield f"invoices and page tokens from its time: until {iso(until)}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
