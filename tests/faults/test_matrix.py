"""Each crash point with each fault: exactly once, and everybody knows it."""

from __future__ import annotations

import sys

import pytest

from tests.faults import matrix, runs
from tests.faults.matrix import PAIRS
from tests.faults.runs import Suite

RUNS = 4_000  # of these, what the machine plays in the time below; `python -m tests.long` has more
SECONDS = 35.0
CASES: list[tuple[Suite, int]] = [
    *(("matrix", number) for number in range(4)),
    *(("schedules", number) for number in range(2)),
]


@pytest.mark.timeout(240)
def test_no_cut_and_no_fault_loses_or_doubles_a_payment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    totals = runs.play_all("matrix", range(RUNS), SECONDS)
    with capsys.disabled():
        sys.stderr.write(f"\n{totals}\n")
    assert not totals.broken, totals.failures()
    assert totals.met > totals.runs / 2


@pytest.mark.timeout(240)
def test_a_run_of_the_same_seed_is_the_same_byte_for_byte() -> None:
    with runs.room() as folder, runs.staged(folder) as files:
        for suite, number in CASES:
            first = runs.play(suite, number, files)
            assert runs.play(suite, number, files) == first


def test_every_point_is_paired_with_every_fault() -> None:
    assert len(set(PAIRS)) == len(PAIRS)
    assert len({matrix.case(number) for number in range(len(PAIRS))}) == len(PAIRS)
