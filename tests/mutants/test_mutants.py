"""Each mistake that forwarders make is put into the code, and some test notices."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.mutants import table, workbench
from tests.mutants.mistakes import MISTAKES, Mistake


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code as it is now, whoever changes it meanwhile."""
    return workbench.snapshot(tmp_path_factory.mktemp("mutants") / "original")


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: str(mistake.name))
def test_the_mistake_can_still_be_made(mistake: Mistake, original: Path, tmp_path: Path) -> None:
    workbench.make(mistake, original, tmp_path / "copy")


@pytest.mark.timeout(300)
async def test_every_mistake_is_caught(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = await table.made(original, only="", tests=None)
    with capsys.disabled():
        sys.stderr.write("\n".join(["", *map(str, rows), ""]))
    assert not [str(row) for row in rows if not row.is_good]


def test_no_mistake_is_there_twice() -> None:
    names = [mistake.name for mistake in MISTAKES]
    assert len(set(names)) == len(names)
