"""The long forms of the suites: `python -m tests.long --suite matrix --minutes 60`.

The report is there from the first minute on, and says so if it was interrupted. With `--seed` one
run is played again, and all that is known of it is shown.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, get_args

from tests.faults import machine, runs
from tests.faults.runs import Suite
from tests.hostile import campaign

Hostile = Literal["hostile"]
Name = Suite | Hostile
Totals = runs.Totals | campaign.Totals

SUITES: Final[tuple[Name, ...]] = (*get_args(Suite), *get_args(Hostile))
PRESETS: Final[dict[str, dict[Name, int]]] = {
    "push": {
        "matrix": 4_000,
        "schedules": 2_000,
        "machine": 200 // machine.EXAMPLES,
        "hostile": 100_000,
    },
    "long": {
        "matrix": 400_000,
        "schedules": 100_000,
        "machine": 10_000 // machine.EXAMPLES,
        "hostile": 1_000_000,
    },
}
TELL_SECONDS: Final = 10.0
REPORT_SECONDS: Final = 60.0


def main() -> int:
    """Play, show how far it is, write a report; 1 if anything was broken, 130 if interrupted."""
    asked = _arguments()
    if asked.seed is not None:
        return _again(asked.suite or "matrix", asked.seed)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    suites = [asked.suite] if asked.suite else SUITES
    report = Report(asked.report)
    try:
        for suite in suites:
            _play(suite, asked, report)
    except KeyboardInterrupt:
        report.write("interrupted")
        return 130
    report.write("at its end")
    return 1 if report.is_broken else 0


class Report:
    """What is known so far of every suite; in a file as well, if one was named."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._totals: dict[str, Totals] = {}
        self._told = self._written = 0.0

    @property
    def is_broken(self) -> bool:
        """Whether any run has broken a promise."""
        return any(totals.broken for totals in self._totals.values())

    def tell(self, totals: Totals) -> None:
        """Show where it stands now and then, and write it down more seldom."""
        self._totals[totals.suite] = totals
        now = time.monotonic()
        if now - self._told > TELL_SECONDS:
            self._told = now
            _say(str(totals))
        if now - self._written > REPORT_SECONDS:
            self._written = now
            self.write("still running")

    def write(self, state: str) -> None:
        """Write it down; at the end it is shown too."""
        text = "\n".join(self._lines(state))
        if self._path is not None:
            self._path.write_text(text)
        if state != "still running":
            _say(text)

    def _lines(self, state: str) -> Iterator[str]:
        yield f"# Faults and bad input\n\nWritten {time.strftime('%F %T')}, {state}.\n"
        for totals in self._totals.values():
            yield f"## {totals.suite}\n\n{totals}\n"
            if totals.broken:
                yield f"```\n{totals.failures(most=100)}\n```\n"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.long", description=__doc__)
    parser.add_argument("--suite", choices=SUITES, help="only this one")
    parser.add_argument("--preset", choices=PRESETS, default="long", help="how many of each suite")
    parser.add_argument("--runs", type=int, help="as many of each suite as this instead")
    parser.add_argument("--first", type=int, default=0, help="the number of the first run")
    parser.add_argument("--minutes", type=float, help="begin no run of a suite after so long")
    parser.add_argument("--seed", type=int, help="play this one run again")
    parser.add_argument("--report", type=Path, help="write a report in Markdown here")
    return parser.parse_args()


def _play(suite: Name, asked: argparse.Namespace, report: Report) -> None:
    count = asked.runs or PRESETS[asked.preset][suite]
    seconds = None if asked.minutes is None else asked.minutes * 60
    numbers = range(asked.first, asked.first + count)
    if suite == "hostile":
        report.tell(campaign.play_all(numbers, seconds, report.tell))
    else:
        report.tell(runs.play_all(suite, numbers, seconds, report.tell))


def _again(suite: Name, seed: int) -> int:
    if suite == "hostile":
        totals = campaign.play_some([seed])
        _say(totals.failures() or str(totals))
        return 1 if totals.broken else 0
    with runs.room() as folder, runs.staged(folder) as files:
        outcome = runs.play(suite, seed, files)
    _say(f"{outcome.case}\n{outcome.broken or 'nothing was broken'}\n{outcome.story}")
    return 1 if outcome.broken else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
