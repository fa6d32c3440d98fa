"""tenacity's wait strategies, asked for a number; nothing here sleeps or calls."""

from __future__ import annotations

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base


def seconds_before(attempt: int, strategy: wait_base) -> float:
    """How long to wait before the attempt after the `attempt`-th one failed, counted from 1."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return strategy(state)
