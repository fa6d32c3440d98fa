"""The long forms of the fault suites: `python -m tests.long --suite matrix --minutes 60`.

With `--seed` one run is played again, and all that is known of it is shown.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

from tests.faults import runs
from tests.faults.runs import Suite, Totals

RUNS: Final[dict[Suite, int]] = {"matrix": 400_000, "schedules": 100_000}


def main() -> int:
    """Play, show how far it is, write a report; 1 if anything was broken."""
    asked = _arguments()
    if asked.seed is not None:
        return _again(asked.suite or "matrix", asked.seed)
    suites: list[Suite] = [asked.suite] if asked.suite else list(get_args(Suite))
    totals = [_play(suite, asked) for suite in suites]
    report = "\n".join(_report(totals))
    if asked.report:
        asked.report.write_text(report)
    _say(report)
    return 1 if any(one.broken for one in totals) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.long", description=__doc__)
    parser.add_argument("--suite", choices=get_args(Suite), help="only this one")
    parser.add_argument("--runs", type=int, help="how many of each suite")
    parser.add_argument("--first", type=int, default=0, help="the number of the first run")
    parser.add_argument("--minutes", type=float, help="begin no run of a suite after so long")
    parser.add_argument("--seed", type=int, help="play this one run again")
    parser.add_argument("--report", type=Path, help="write a report in Markdown here")
    return parser.parse_args()


def _play(suite: Suite, asked: argparse.Namespace) -> Totals:
    shown = time.monotonic()

    def tell(totals: Totals) -> None:
        nonlocal shown
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            _say(str(totals))

    numbers = range(asked.first, asked.first + (asked.runs or RUNS[suite]))
    seconds = None if asked.minutes is None else asked.minutes * 60
    return runs.play_all(suite, numbers, seconds, tell)


def _again(suite: Suite, seed: int) -> int:
    with runs.room() as folder, runs.staged(folder) as files:
        outcome = runs.play(suite, seed, files)
    _say(f"{outcome.case}\n{outcome.broken or 'nothing was broken'}\n{outcome.story}")
    return 1 if outcome.broken else 0


def _report(totals: list[Totals]) -> Iterator[str]:
    yield "# Faults in virtual time\n"
    for one in totals:
        yield f"## {one.suite}\n"
        yield f"{one}\n"
        if one.broken:
            yield f"```\n{one.failures(most=100)}\n```\n"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
