"""The long form: `python -m tests.benchmarks`; prints the table of docs/performance.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.benchmarks import history, pages, sales
from tests.benchmarks.figures import Figure


async def _figures(asked: argparse.Namespace, folder: Path) -> AsyncIterator[Figure]:
    if asked.only in ("", "pages"):
        told = await pages.measure(_room(folder, "pages"), asked.pages, asked.tells)
        for figure in told.figures(asked.pages):
            yield figure
    if asked.only in ("", "sales"):
        sold = await sales.measure(_room(folder, "sales"), asked.sales, asked.rush)
        for figure in sold.figures():
            yield figure
    if asked.only in ("", "history"):
        looked = await history.measure(_room(folder, "history"), asked.history, asked.looks)
        for figure in looked.figures(asked.history):
            yield figure


def _room(folder: Path, name: str) -> Path:
    room = folder / name
    room.mkdir()
    return room


async def _report(asked: argparse.Namespace) -> None:
    _tell(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores,")
    _tell(f"Python {platform.python_version()}\n")
    _tell("| what | measured | floor |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        async for figure in _figures(asked, Path(name)):
            _tell(str(figure))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", choices=("pages", "sales", "history"), default="")
    parser.add_argument("--pages", type=int, default=2_000)
    parser.add_argument("--tells", type=int, default=50, help="Blink makes 60 invoices a minute")
    parser.add_argument("--sales", type=int, default=20)
    parser.add_argument("--rush", type=int, default=35)
    parser.add_argument("--history", type=int, default=100_000)
    parser.add_argument("--looks", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(_report(_arguments()))
