"""What was measured, with the floor that was measured beside it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the report; `floor` is what the same takes without the forwarder."""

    what: str
    value: str
    floor: str = ""

    def __str__(self) -> str:
        return f"| {self.what} | {self.value} | {self.floor} |"


def spread(seconds: Sequence[float]) -> str:
    """Median and 99th percentile in milliseconds."""
    return f"{_ms(statistics.median(seconds))} / {_ms(percentile(seconds, 0.99))} ms"


def percentile(seconds: Sequence[float], part: float) -> float:
    """The smallest value that this part of all values does not exceed."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"
