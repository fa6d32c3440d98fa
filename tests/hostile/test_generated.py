"""A hundred thousand generated inputs, each judged by what it must not do."""

from __future__ import annotations

import sys

import pytest

from tests.hostile import campaign
from tests.hostile.surfaces import ROUND, SURFACES, surface_of

INPUTS = 100_000


@pytest.mark.timeout(400)
def test_no_input_breaks_a_promise(capsys: pytest.CaptureFixture[str]) -> None:
    totals = campaign.play_all(range(INPUTS))
    with capsys.disabled():
        sys.stderr.write(f"\n{totals}\n")
    assert totals.runs == INPUTS
    assert not totals.broken, totals.failures()


def test_every_way_in_is_taken() -> None:
    assert {surface_of(number).name for number in range(ROUND)} == {one.name for one in SURFACES}


def test_what_breaks_is_told_with_the_command_that_plays_it_again() -> None:
    broken = campaign.Totals(broken=[campaign.Broken(7, "bodies", "it fell over")])
    assert "python -m tests.long --suite hostile --seed 7" in broken.failures()
