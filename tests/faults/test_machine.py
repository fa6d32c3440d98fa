"""Whatever order things happen in: Hypothesis looks for the one that breaks a promise."""

from __future__ import annotations

import pytest

from tests.faults import machine, runs

RUNS = 20 // machine.EXAMPLES  # more with `python -m tests.long --suite machine`


@pytest.mark.timeout(240)
def test_no_order_of_events_breaks_a_promise() -> None:
    totals = runs.play_all("machine", range(RUNS))
    assert not totals.broken, totals.failures()
