"""The table: each mistake, and the test that has caught it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants import workbench
from tests.mutants.mistakes import MISTAKES, NOT_APPLICABLE, Mistake
from tests.mutants.workbench import Outdated

AT_ONCE: Final = 2
ORIGINAL: Final = "(the original)"


@dataclass(frozen=True, slots=True)
class Row:
    """A mistake, whether it was dealt with, and by whom, or why not."""

    name: str
    is_good: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok   ' if self.is_good else 'WRONG'} {self.name:<62} {self.detail}"


async def made(original: Path, only: str, tests: Sequence[str] | None) -> list[Row]:
    """Try the original, and every mistake whose name has `only` in it, two at a time."""
    turns = asyncio.Semaphore(AT_ONCE)
    chosen = [mistake for mistake in MISTAKES if only in mistake.name]
    rows = [_original(original, chosen, turns)]
    rows += [_row(mistake, n, original, turns, tests) for n, mistake in enumerate(chosen)]
    names = NOT_APPLICABLE.items()
    return [*await asyncio.gather(*rows), *(Row(name, True, f"n/a: {why}") for name, why in names)]


async def _original(original: Path, chosen: Sequence[Mistake], turns: asyncio.Semaphore) -> Row:
    """Tests that fail anyway would catch nothing."""
    tests = sorted({test for mistake in chosen for test in mistake.tests})
    async with turns:
        found = await workbench.ask(original, tests)
    if found.status == workbench.ALL_PASSED:
        return Row(ORIGINAL, True, f"passes {len(tests)} tests")
    return Row(ORIGINAL, False, found.output[-2_000:])


async def _row(
    mistake: Mistake,
    number: int,
    original: Path,
    turns: asyncio.Semaphore,
    tests: Sequence[str] | None,
) -> Row:
    options = ("-x",) if tests is None else ("-k", "not postgres")
    folder = original.parent / f"mistake-{number}"
    async with turns:
        try:
            found = await workbench.look(
                mistake, original, folder, tests or mistake.tests, *options
            )
        except Outdated as exc:
            return Row(mistake.name, False, f"to be written anew: {exc}")
    if found.is_caught:
        return Row(mistake.name, True, "\n      ".join(found.caught_by))
    return Row(mistake.name, False, f"SURVIVED: {found.output[-1_000:]}")
