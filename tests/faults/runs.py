"""Many runs in several processes, each of which has its own stage and its own database."""

from __future__ import annotations

import gc
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from tests.faults import clock, machine, matrix, schedules
from tests.faults.disk import Files, make_template
from tests.faults.matrix import Outcome
from tests.faults.world import opened, stage

Suite = Literal["matrix", "schedules", "machine"]
PROCESSES: Final = max(2, os.cpu_count() or 1)
CHUNK: Final[dict[Suite, int]] = {"matrix": 10, "schedules": 5, "machine": 1}

_MEMORY: Final = Path("/dev/shm")  # noqa: S108


@contextmanager
def room() -> Iterator[Path]:
    """A folder for databases, in memory where that is possible."""
    where = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="faults", dir=where) as folder:
        yield Path(folder)


@contextmanager
def staged(folder: Path) -> Iterator[Files]:
    """A stage with a database on it, that has been played on once: a first run has more to load."""
    files = Files(folder, make_template(folder / "template.db"))
    with stage():
        clock.run(lambda: _warm_up(files), 0)
        yield files


async def _warm_up(files: Files) -> None:
    async with opened(files, 0) as world:
        await world.sell(world.shops[0], 1)


def play(suite: Suite, number: int, files: Files) -> Outcome:
    """One run, which is the same whenever it is played."""
    match suite:
        case "matrix":
            cut = matrix.case(number)
            return clock.run(lambda: matrix.play(cut, files), cut.seed)
        case "schedules":
            return clock.run(lambda: schedules.play(number, files), number)
        case "machine":
            return machine.play(number, files)


def play_some(suite: Suite, numbers: Sequence[int], folder: Path) -> list[Outcome]:
    """Several runs, in a process that was made for them."""
    files = _here(folder / str(os.getpid()))
    outcomes = [play(suite, number, files) for number in numbers]
    gc.collect()
    return outcomes


@cache
def _here(folder: Path) -> Files:
    """The stage of this process, for as long as it lives."""
    gc.disable()  # what is left over of the runs is collected between them
    folder.mkdir()
    files = _LIVES_ON.enter_context(staged(folder))
    gc.freeze()
    return files


_LIVES_ON: Final = ExitStack()


@dataclass
class Totals:
    """What came out of many runs."""

    suite: Suite
    runs: int = 0
    met: int = 0
    apart: Counter[str] = field(default_factory=Counter)
    broken: list[Outcome] = field(default_factory=list)
    virtual_hours: float = 0.0
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count a run."""
        self.runs += 1
        self.met += outcome.met
        self.virtual_hours += outcome.seconds / 3_600
        if not outcome.reached:
            self.apart["the point was not reached"] += 1
        elif not outcome.struck:
            self.apart["the fault found nothing to strike"] += 1
        if outcome.broken:
            self.broken.append(outcome)

    def __str__(self) -> str:
        apart = "".join(f", {count} times {why}" for why, count in sorted(self.apart.items()))
        return (
            f"{self.suite}: {self.runs} runs, {self.virtual_hours:.0f} hours of virtual time in "
            f"{self.seconds:.0f} s ({self.runs / max(self.seconds, 0.001):.1f} a second); "
            f"{self.met} met{apart}; {len(self.broken)} broken"
        )

    def failures(self, most: int = 5) -> str:
        """Each broken run, with the command that plays it again."""
        lines = [
            f"{one.case}: {one.broken}\n  again: python -m tests.long --suite {self.suite} "
            f"--seed {one.case.seed}"
            for one in self.broken[:most]
        ]
        return "\n".join(lines)


def play_all(
    suite: Suite,
    numbers: Sequence[int],
    seconds: float | None = None,
    tell: Callable[[Totals], None] = lambda _: None,
) -> Totals:
    """Runs side by side, no longer than so many seconds."""
    totals, begun = Totals(suite), time.monotonic()
    size = CHUNK[suite]
    chunks = iter([numbers[at : at + size] for at in range(0, len(numbers), size)])
    context = multiprocessing.get_context("spawn")
    with room() as folder, ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        waiting = {
            pool.submit(play_some, suite, chunk, folder) for chunk in islice(chunks, 2 * PROCESSES)
        }
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for outcome in (outcome for chunk in done for outcome in chunk.result()):
                    totals.add(outcome)
                totals.seconds = time.monotonic() - begun
                tell(totals)
                if seconds is None or totals.seconds < seconds:
                    more = islice(chunks, len(done))
                    waiting |= {pool.submit(play_some, suite, chunk, folder) for chunk in more}
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return totals
