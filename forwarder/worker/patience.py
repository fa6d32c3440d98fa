"""How long ago payouts were sent, by a clock that never jumps."""

from __future__ import annotations

from datetime import datetime, timedelta

from forwarder.model.forward import Forward
from forwarder.worker.clock import monotonic


class Patience:
    """Counts from when this process first knew of a sending.

    Dates are no measure of a wait: they come from another process's clock, or from one that was put
    right meanwhile. So a wait begins anew after a restart, and is too long rather than too short.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[datetime | None, float]] = {}

    def sent_for(self, forward: Forward) -> timedelta:
        """How long ago it was sent, at the least."""
        sent_at, since = self._known.get(forward.id, (None, 0.0))
        if forward.id not in self._known or sent_at != forward.sent_at:
            since = monotonic()
            self._known[forward.id] = forward.sent_at, since
        return timedelta(seconds=monotonic() - since)

    def forget(self, forward: Forward) -> None:
        """It is at its end, or has a new payout invoice."""
        self._known.pop(forward.id, None)
