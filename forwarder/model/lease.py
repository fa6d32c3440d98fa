"""The right to work on something, for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on forwards, as of `now`, and until when nobody else may.

    No due time of ours lies beyond `horizon`: one that does was written by a clock that ran ahead.
    """

    owner: str
    now: datetime
    until: datetime
    horizon: datetime
