"""Figures of what has come and gone in some time, as charts and a day's sums show them."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.model.calendar import Slot


@dataclass(frozen=True, slots=True)
class Trade:
    """What came, and what arrived, in an hour or a day.

    Half of what arrived took `median_seconds` at most since its payment was seen, and 19 of 20 took
    `slow_seconds` at most; None if nothing has arrived.
    """

    slot: Slot
    payments: int
    received: int
    forwards: int
    forwarded: int
    median_seconds: float | None
    slow_seconds: float | None
