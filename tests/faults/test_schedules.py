"""Busy days on which several things go wrong."""

from __future__ import annotations

import sys

import pytest

from tests.faults import runs

RUNS = 2_000  # of these, what the machine plays in the time below; `python -m tests.long` has more
SECONDS = 15.0


@pytest.mark.timeout(240)
def test_no_schedule_of_faults_loses_or_doubles_a_payment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    totals = runs.play_all("schedules", range(RUNS), SECONDS)
    with capsys.disabled():
        sys.stderr.write(f"\n{totals}\n")
    assert not totals.broken, totals.failures()
