"""The benchmarks run; how fast things are here says nothing, so nothing of that is asserted."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import history, pages, sales


async def test_pages_are_told(tmp_path: Path) -> None:
    told = await pages.measure(tmp_path, pages=3, tells=2)
    assert len(told.seconds) == len(told.floor) == 2
    assert len(told.figures(3)) == 1


async def test_sales_are_forwarded_with_two_calls_each(tmp_path: Path) -> None:
    sold = await sales.measure(tmp_path, sales=2, rush=2)
    assert sold.calls == 2
    assert len(sold.figures()) == 5


async def test_a_history_is_looked_at(tmp_path: Path) -> None:
    looked = await history.measure(tmp_path, sales=10, looks=2)
    assert looked.scrape_bytes > 10_000
    assert len(looked.figures(10)) == 3
