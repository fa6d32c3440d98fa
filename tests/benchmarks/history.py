"""A long history in the database, and what it costs to look at how everything stands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, select, update

from forwarder.store import tables
from forwarder.store.database import Database, Transaction
from tests.benchmarks.figures import Figure, spread
from tests.benchmarks.stage import OPERATOR_TOKEN, Stage, stage

AT_ONCE = 5_000

# What has to differ from one sale to the next, beside its times.
OWN = {
    "invoices": ("id", "payment_hash", "external_id"),
    "orders": ("external_id",),
    "payments": ("payment_hash", "transaction_id", "invoice_id"),
    "forwards": ("id", "payment_hash", "external_id", "payout_hash", "transaction_id"),
    "journal": ("id", "payment_hash"),
    "messages": ("seq", "id", "invoice_id"),
}


@dataclass(frozen=True)
class Looked:
    """Seconds of each kind of call, and how long a scrape is."""

    status: Sequence[float]
    scrape: Sequence[float]
    alive: Sequence[float]
    scrape_bytes: int

    def figures(self, sales: int) -> list[Figure]:
        """The lines of the report."""
        floor = f"{spread(self.alive)} (/livez)"
        return [
            Figure(f"`/api/status` with {sales} sales, median / p99", spread(self.status), floor),
            Figure(f"`/metrics` with {sales} sales, median / p99", spread(self.scrape), floor),
            Figure("length of a scrape", f"{self.scrape_bytes / 1024:.0f} KiB"),
        ]


async def measure(folder: Path, sales: int, looks: int) -> Looked:
    """Copy one real sale until there are enough, and look."""
    async with stage(folder) as played:
        await played.forwarder.start()
        sale = await played.till.sell()
        await played.until_watching()
        await played.blink.pay(sale)
        await played.till.until(sale, "forwarded")
        await played.forwarder.hang_up()
        await _copy(played, sales)
        await played.forwarder.start()
        forwarded = (await played.status())["forwards"]["forwarded"]
        assert forwarded == sales, f"{forwarded} sales, and not {sales}"
        return Looked(
            status=[(await _look(played, "/api/status"))[0] for _ in range(looks)],
            scrape=[(await _look(played, "/metrics"))[0] for _ in range(looks)],
            alive=[(await _look(played, "/livez"))[0] for _ in range(looks)],
            scrape_bytes=(await _look(played, "/metrics"))[1],
        )


async def _look(played: Stage, path: str) -> tuple[float, int]:
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    begun = time.perf_counter()
    async with played.session.get(path, headers=headers) as answer:
        text = await answer.read()
        assert answer.status == 200
    return time.perf_counter() - begun, len(text)


async def _copy(played: Stage, sales: int) -> None:
    """Until there are so many sales like the one that is there."""
    database = Database(played.database_url)
    async with database.transaction() as tx:
        for name, own in OWN.items():
            await _copy_rows(tx, tables.metadata.tables[name], own, sales)
        totals = tables.totals
        grown = {"number": totals.c.number * sales, "sats": totals.c.sats * sales}
        await tx.execute(update(totals).values(grown))
    await database.close()


async def _copy_rows(tx: Transaction, table: Table, own: Sequence[str], sales: int) -> None:
    originals = [dict(row._mapping) for row in await tx.execute(select(table))]
    for begin in range(1, sales, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, sales))
        rows = [_changed(row, own, n) for n in numbers for row in originals]
        await tx.execute(insert(table), rows)


def _changed(row: dict[str, Any], own: Sequence[str], number: int) -> dict[str, Any]:
    """A row of an earlier sale: one a minute, so that the history is of ten weeks."""
    earlier = timedelta(minutes=number)
    moved = {name: when - earlier for name, when in row.items() if isinstance(when, datetime)}
    return row | moved | {name: _other(row[name], number) for name in own}


def _other(value: int | str, number: int) -> int | str:
    if isinstance(value, int):
        return value + number * 100
    return f"{number:08x}{value[8:]}"
