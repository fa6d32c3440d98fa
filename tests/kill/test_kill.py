"""The real process, killed with SIGKILL under load: nothing is lost and nothing is paid twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.kill import campaign, several

SEED = 20_261


def tell(line: str) -> None:
    """Shown with the failure, or with `-s`."""
    sys.stdout.write(line + "\n")


@pytest.mark.timeout(240)
async def test_thirty_kills_lose_nothing_and_pay_nothing_twice(tmp_path: Path) -> None:
    outcome = await campaign.run(tmp_path, SEED, kills=30, report=tell)
    assert outcome.verdict.wrong == []
    assert len(outcome.kills) == 30
    assert outcome.verdict.paid >= 15, "too little was sold for this to show anything"
    assert outcome.faults > 0


@pytest.mark.timeout(120)
async def test_of_three_processes_on_one_database_the_survivors_finish_everything(
    tmp_path: Path,
) -> None:
    outcome = await several.run(tmp_path, SEED, kills=2, report=tell)
    assert outcome.verdict.wrong == []
    assert outcome.verdict.paid >= 5, "too little was sold for this to show anything"
