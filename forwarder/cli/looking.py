"""Commands that look for sales, and change nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from forwarder.cli.common import Hash, Json, moment, with_books
from forwarder.cli.printing import (
    Row,
    is_narrow,
    is_terminal,
    print_facts,
    print_json,
    print_table,
    progress,
)
from forwarder.model.sale import Sale, Search, Standing, Wanted
from forwarder.model.source import Source
from forwarder.web import shapes, sheet
from forwarder.web.views import ForwardView, PageView, SaleView, StoryView
from forwarder.worker.books import Books
from forwarder.worker.clock import utc_now

MAX_LISTED: Final = 1000
ENOUGH: Final = 12  # characters of a hash that tell it from all others

_BEGINNING = datetime.fromtimestamp(0, UTC)


def list_sales(
    state: Annotated[Standing | None, typer.Option(help="Only those that stand so.")] = None,
    search: Annotated[
        str | None, typer.Option(help="A hash or its beginning, externalId, merchant or amount.")
    ] = None,
    source: Annotated[Source | None, typer.Option(help="Only those of one wallet.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LISTED, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """Show sales, newest first."""
    meant = None if search is None else Search(search.strip())
    wanted = Wanted(state, meant, source, before=None, limit=limit)

    async def read(books: Books) -> PageView:
        return shapes.page(await books.page(wanted))

    found = with_books(read)
    if as_json:
        print_json(found)
    else:
        _print_sales(found["payments"])
        if found["next"] is not None:
            typer.echo(f"these are the newest {limit}; --limit shows more", err=True)


def _print_sales(sales: list[SaleView]) -> None:
    if not sales:
        typer.echo("nothing found", err=True)
    elif is_narrow():
        print_table(("when", "sat", "state", "hash"), map(_short_line, sales))
    else:
        print_table(("when", "sat", "state", "merchant", "sale", "hash"), map(_line, sales))


def _short_line(sale: SaleView) -> Row:
    return _when(sale)[5:16].replace("T", " "), _sats(sale), sale["state"], _hash(sale)


def _line(sale: SaleView) -> Row:
    names = sale["merchant"], sale["externalId"]
    return _when(sale), _sats(sale), sale["state"], *names, _hash(sale)


def _when(sale: SaleView) -> str:
    return sale["receivedAt"] or sale["createdAt"] or ""


def _sats(sale: SaleView) -> int | None:
    return sale["receivedSat"] or sale["amountSat"]


def _hash(sale: SaleView) -> str:
    return sale["paymentHash"][: ENOUGH if is_terminal() else None]


def show(payment_hash: Hash, as_json: Json = False) -> None:
    """Show one sale: where its money is, and each step that it has taken."""

    async def read(books: Books) -> StoryView:
        return shapes.story(*await books.show(await books.hash_of(payment_hash)))

    story = with_books(read)
    if as_json:
        print_json(story)
        return
    print_facts(_facts(story))
    print_table(
        ("at", "step", "who", "more"),
        [(s["at"][:23], s["step"], s["actor"], _more(s["detail"])) for s in story["timeline"]],
    )


def _facts(story: StoryView) -> Iterator[tuple[str, object]]:
    sale, invoice = story["payment"], story["invoice"]
    yield "hash", sale["paymentHash"]
    yield "state", sale["state"]
    if invoice is not None:
        yield "sale", sale["externalId"]
        yield "merchant", sale["merchant"]
        yield "for", sale["description"]
        yield "asked", f"{sale['amountSat']} sat at {sale['createdAt']}"
    if sale["receivedAt"] is None:
        yield "received", "nothing has arrived"
    else:
        yield "received", f"{sale['receivedSat']} sat at {sale['receivedAt']}"
        yield "first seen", sale["seenBy"]
        yield "transaction", sale["transactionId"]
    for forward in sale["forwards"]:
        yield from _forward(forward)
    yield "", ""


def _forward(forward: ForwardView) -> Iterator[tuple[str, object]]:
    amount = f"{forward['amountSat']} sat to {forward['merchant']}"
    yield "forward", f"{amount}: {forward['state']}"
    for name, value in (
        ("why held", forward["heldReason"]),
        ("refused", forward["refusal"]),
        ("payout", forward["payoutHash"]),
        ("sent from", forward["sentFrom"]),
        ("arrived as", forward["transactionId"]),
        ("ended at", forward["endedAt"]),
        ("next try", forward["nextTryAt"]),
    ):
        if value is not None:
            yield f"  {name}", value


def _more(detail: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items() if value is not None)


def export(
    start: Annotated[
        datetime | None,
        typer.Option("--from", parser=moment, metavar="TIME", help="Received from then on, UTC."),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option("--to", parser=moment, metavar="TIME", help="And before this, UTC."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="A file; by default stdout.")] = None,
    as_json: Json = False,
) -> None:
    """Write one line for each forward, as CSV; with --json one for each sale."""

    async def write(books: Books) -> int:
        with _opened(output) as file:
            if not as_json:
                file.write(sheet.head())
            sold = books.export(start or _BEGINNING, end or utc_now())
            return await _write(file, sold, as_json)

    with progress("exporting"):
        count = with_books(write)
    if output is not None:
        typer.echo(f"{count} payments written to {output}", err=True)


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    """The file, or stdout; with the ends of lines as they are given."""
    if output is not None:
        with output.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    yield sys.stdout


async def _write(file: TextIO, found: AsyncIterator[Sequence[Sale]], as_json: bool) -> int:
    count = 0
    async for sales in found:
        lines = "".join(_json_lines(sales)) if as_json else sheet.lines(sales)
        file.write(lines)
        count += len(sales)
    return count


def _json_lines(sales: Iterable[Sale]) -> Iterator[str]:
    return (json.dumps(shapes.sale(one), ensure_ascii=False) + "\n" for one in sales)
