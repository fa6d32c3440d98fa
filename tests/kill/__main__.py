"""The long form: `python -m tests.kill --kills 1000 --seed 7 --report kills.json`."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.kill import campaign, pair
from tests.kill.campaign import Outcome

KILLS_A_DAY = 100  # then the next day begins, with a new Blink and a new database


def tell(line: str) -> None:
    """Progress, at once."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run until all kills are done; 0 if nothing was wrong on any day."""
    asked = _arguments()
    outcomes: list[Outcome] = []
    left = asked.kills
    while left > 0:
        kills = min(left, KILLS_A_DAY)
        outcomes.append(asyncio.run(_day(asked, asked.seed + len(outcomes), kills)))
        left -= kills
        _conclude(outcomes, asked.report)
    return 1 if any(outcome.verdict.wrong for outcome in outcomes) else 0


async def _day(asked: argparse.Namespace, seed: int, kills: int) -> Outcome:
    tell(f"seed {seed}: {kills} kills")
    with tempfile.TemporaryDirectory() as name:
        if asked.pair:
            return await pair.run(Path(name), seed, kills, tell, short_leases=not asked.real_leases)
        return await campaign.run(Path(name), seed, kills, tell)


def _conclude(outcomes: list[Outcome], report: Path | None) -> None:
    last = outcomes[-1]
    figures = {name: value for name, value in vars(last.verdict).items() if name != "wrong"}
    tell(f"seed {last.seed}: {figures}, settled in {last.settled_seconds:.1f} s")
    for line in last.verdict.wrong:
        tell(f"seed {last.seed}: WRONG: {line}")
    if report is not None:
        report.write_text(json.dumps([outcome.as_json() for outcome in outcomes], indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument("--report", type=Path, help="where to write what was found, as JSON")
    parser.add_argument("--pair", action="store_true", help="two processes on one PostgreSQL")
    parser.add_argument("--real-leases", action="store_true", help="with --pair: 60 s, not 6 s")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
