"""The long form: `python -m tests.kill --kills 1000 --seed 7 --report kills.md`.

The report is there from the first minute on, and says so if it was interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.kill import campaign, several
from tests.kill.campaign import Outcome

KILLS_A_DAY: Final = 100  # then the next day begins, with a new Blink and a new database
REPORT_SECONDS: Final = 60.0


def main() -> int:
    """Run until all kills are done; 0 if nothing was wrong on any day, 130 if interrupted."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report, left = Report(asked.report), asked.kills
    try:
        while left > 0:
            kills = min(left, KILLS_A_DAY)
            report.add(asyncio.run(_day(asked, asked.seed + len(report.days), kills, report)))
            left -= kills
    except KeyboardInterrupt:
        report.write("interrupted")
        return 130
    report.write("at its end")
    return 1 if report.is_wrong else 0


class Report:
    """What came of the days so far, and how far the present one is."""

    def __init__(self, path: Path | None) -> None:
        self.days: list[Outcome] = []
        self._path = path
        self._last = ""
        self._written = 0.0

    @property
    def is_wrong(self) -> bool:
        """Whether anything was wrong on any day."""
        return any(day.verdict.wrong for day in self.days)

    def tell(self, line: str) -> None:
        """Progress, at once; written down more seldom."""
        self._last = line
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stdout.flush()
        if time.monotonic() - self._written > REPORT_SECONDS:
            self._written = time.monotonic()
            self.write("still running")

    def add(self, day: Outcome) -> None:
        """Keep what came of a day."""
        self.days.append(day)
        self.tell(_row(day))
        for line in day.verdict.wrong:
            self.tell(f"seed {day.seed}: WRONG: {line}")

    def write(self, state: str) -> None:
        """Write it down."""
        if self._path is not None:
            self._path.write_text("\n".join(self._lines(state)))

    def _lines(self, state: str) -> Iterator[str]:
        yield f"# Kills\n\nWritten {time.strftime('%F %T')}, {state}; the last line: {self._last}\n"
        yield "| seed | kills | sales | paid | sats in | sats out | handshakes | seconds | wrong |"
        yield "|---|---|---|---|---|---|---|---|---|"
        yield from map(_row, self.days)
        yield ""
        for day in self.days:
            yield from (f"- seed {day.seed}: {line}" for line in day.verdict.wrong)


def _row(day: Outcome) -> str:
    found = day.verdict
    sums = (found.sales, found.paid, found.received, found.forwarded, found.handshakes)
    cells = (day.seed, len(day.kills), *sums, round(day.settled_seconds, 1), len(found.wrong))
    return f"| {' | '.join(map(str, cells))} |"


async def _day(asked: argparse.Namespace, seed: int, kills: int, report: Report) -> Outcome:
    report.tell(f"seed {seed}: {kills} kills")
    with tempfile.TemporaryDirectory() as name:
        folder, tell = Path(name), report.tell
        if asked.several:
            return await several.run(folder, seed, kills, tell)
        return await campaign.run(folder, seed, kills, tell)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument("--report", type=Path, help="write a report in Markdown here")
    parser.add_argument("--several", action="store_true", help="three processes on one PostgreSQL")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
