"""tenacity's wait strategies, asked for a number; nothing here sleeps or calls."""

from __future__ import annotations

from typing import Final

from tenacity import RetryCallState, Retrying, wait_random_exponential
from tenacity.wait import wait_base

HEALTHY_SECONDS: Final = 60.0
FIRST_SECONDS: Final = 0.5  # doubled with each failure, and drawn at random below that


class Backoff:
    """Longer and longer pauses after failures in a row; what went well for long begins anew."""

    def __init__(self, longest_seconds: float) -> None:
        self._strategy = wait_random_exponential(FIRST_SECONDS, max=longest_seconds)
        self._failures = 0

    def pause_seconds(self, lasted_seconds: float) -> float:
        """How long to wait after a failure; `lasted_seconds` is how long it went well before."""
        self._failures = 1 if lasted_seconds > HEALTHY_SECONDS else self._failures + 1
        return seconds_before(self._failures, self._strategy)


def seconds_before(attempt: int, strategy: wait_base) -> float:
    """How long to wait before the attempt after the `attempt`-th one failed, counted from 1."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return strategy(state)
