"""Shows the table, and who else would catch a mistake: `python -m tests.mutants --wide`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.mutants import table, workbench

WIDE = ("tests/model", "tests/blink", "tests/store", "tests/worker", "tests/web")


def main() -> int:
    """0 if every mistake was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--wide", action="store_true", help="run every quick test on each")
    parser.add_argument("--only", default="", help="a part of a mistake's name")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        original = workbench.snapshot(Path(name) / "original")
        tests = WIDE if asked.wide else None
        rows = asyncio.run(table.made(original, asked.only, tests))
    for row in rows:
        sys.stdout.write(f"{row}\n")
    return 0 if all(row.is_good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
