"""A ledger that shows sends late, to one query and not to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

Query = Literal["hash", "list", "answer"]
"""Who looks: by payment hash, at the list of transactions, or the answer to a second payment."""

QUERIES: tuple[Query, ...] = get_args(Query)


@dataclass(slots=True)
class Lateness:
    """How long after it was booked a send is shown, by who looks. The money has moved at once."""

    clock: Callable[[], datetime]
    _seconds: dict[Query, float] = field(default_factory=dict)

    def set(self, query: Query, seconds: float) -> None:
        self._seconds[query] = seconds

    def shows(self, query: Query, booked_at: datetime) -> bool:
        return self.clock() >= booked_at + timedelta(seconds=self._seconds.get(query, 0.0))
