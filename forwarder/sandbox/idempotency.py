"""`X-Idempotency-Key`: blocks a repetition for an hour, and never gives the first answer again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

HEADER = "X-Idempotency-Key"
LIFETIME = timedelta(hours=1)
UUID_1_TO_5 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE
)

# The subgraph answers with a status; the router in front wraps it into an error with HTTP 200.
Objection = Literal["409: Conflict", "400: Bad Request"]


@dataclass(slots=True)
class IdempotencyKeys:
    _used: dict[str, datetime] = field(default_factory=dict)

    def use(self, key: str | None, now: datetime) -> Objection | None:
        """Take the key, whatever becomes of the request; or say why it cannot be taken."""
        if key is None:
            return None
        if not UUID_1_TO_5.fullmatch(key):
            return "400: Bad Request"
        used = self._used.get(key)
        if used is not None and now - used < LIFETIME:
            return "409: Conflict"
        self._used[key] = now
        return None
