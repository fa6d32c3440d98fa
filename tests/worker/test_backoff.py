"""Waits grow with failures, up to a limit."""

from __future__ import annotations

import pytest
from tenacity import wait_exponential, wait_random_exponential

from forwarder.worker import backoff
from forwarder.worker.backoff import Backoff, seconds_before


def test_waits_grow_and_stay_below_their_limit() -> None:
    strategy = wait_random_exponential(multiplier=0.5, max=15)
    for attempt in range(1, 2_000, 7):
        assert 0 <= seconds_before(attempt, strategy) <= 15
    assert max(seconds_before(1, strategy) for _ in range(50)) <= 0.5


def test_pauses_grow_with_failures_in_a_row_and_begin_anew_after_a_healthy_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "wait_random_exponential", wait_exponential)  # its upper end
    pauses = Backoff(longest_seconds=3)
    lasted = (0, 1, 59, 60, 61, 0)
    assert [pauses.pause_seconds(seconds) for seconds in lasted] == [0.5, 1, 2, 3, 0.5, 1]
