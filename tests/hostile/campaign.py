"""Many generated inputs, side by side in several processes; each can be played again by itself."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import groupby, islice
from random import Random
from typing import Final

from forwarder.settings import Settings
from tests.hostile.surfaces import ROUND, SURFACES, Play, Surface, surface_of

PROCESSES: Final = max(2, os.cpu_count() or 1)
CHUNK: Final = 25 * ROUND
PLAY_SECONDS: Final = 30.0
_NAMES: Final = [surface.name for surface in SURFACES]


@dataclass(frozen=True, slots=True)
class Broken:
    """An input that has broken a promise."""

    number: int
    surface: str
    why: str

    def __str__(self) -> str:
        return (
            f"{self.surface} #{self.number}: {self.why}\n"
            f"  again: python -m tests.long --suite hostile --seed {self.number}"
        )


@dataclass
class Totals:
    """What came out of many inputs."""

    inputs: Counter[str] = field(default_factory=Counter)
    broken: list[Broken] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    suite: str = "hostile"

    @property
    def runs(self) -> int:
        """How many inputs were played."""
        return self.inputs.total()

    def add(self, part: Totals) -> None:
        """Count what a process has played."""
        self.inputs += part.inputs
        self.broken += part.broken
        self.cpu_seconds += part.cpu_seconds

    def __str__(self) -> str:
        kinds = ", ".join(f"{self.inputs[name]} {name}" for name in _NAMES if self.inputs[name])
        return (
            f"hostile: {self.runs} inputs in {self.seconds:.0f} s, {self.cpu_seconds:.0f} s of "
            f"processor time; {kinds}; {len(self.broken)} broken"
        )

    def failures(self, most: int = 5) -> str:
        """Each input that broke something, with the command that plays it again."""
        return "\n".join(map(str, self.broken[:most]))


def play_some(numbers: Sequence[int]) -> Totals:
    """Some inputs, in this process; those of one surface after each other."""
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)  # a developer's own settings must change nothing
    totals, begun = Totals(), time.process_time()
    by_surface = sorted(numbers, key=lambda number: _NAMES.index(surface_of(number).name))
    for surface, some in groupby(by_surface, surface_of):
        asyncio.run(_play(surface, list(some), totals))
    totals.cpu_seconds = time.process_time() - begun
    return totals


async def _play(surface: Surface, numbers: Sequence[int], totals: Totals) -> None:
    number = numbers[0]
    try:
        async with AsyncExitStack() as stack:
            play = await stack.enter_async_context(surface.open())
            for number in numbers:
                totals.inputs[surface.name] += 1
                await _play_one(surface, play, number, totals)
    except Exception as exc:
        # What the books say at the end is about all of them; the last one stands for them.
        totals.broken.append(Broken(number, surface.name, f"at its end: {_shown(exc)}"))


async def _play_one(surface: Surface, play: Play, number: int, totals: Totals) -> None:
    try:
        async with asyncio.timeout(PLAY_SECONDS):
            await play(Random(number))  # noqa: S311 - replayable on purpose
    except Exception as exc:
        totals.broken.append(Broken(number, surface.name, _shown(exc)))


def _shown(exc: Exception) -> str:
    where = traceback.extract_tb(exc.__traceback__)[-1]
    return f"{type(exc).__name__} at {where.name}:{where.lineno} ({where.line}): {exc}"[:2_000]


def play_all(
    numbers: range, seconds: float | None = None, tell: Callable[[Totals], None] = lambda _: None
) -> Totals:
    """Inputs side by side; after so many seconds none are begun."""
    totals, begun = Totals(), time.monotonic()
    chunks = _chunks(numbers)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        waiting = {pool.submit(play_some, chunk) for chunk in islice(chunks, 2 * PROCESSES)}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for part in done:
                    totals.add(part.result())
                totals.seconds = time.monotonic() - begun
                tell(totals)
                if seconds is None or totals.seconds < seconds:
                    waiting |= {pool.submit(play_some, one) for one in islice(chunks, len(done))}
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return totals


def _chunks(numbers: range) -> Iterator[range]:
    return (numbers[at : at + CHUNK] for at in range(0, len(numbers), CHUNK))
