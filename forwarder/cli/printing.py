"""What the commands print: tables on a terminal, lines with tabs elsewhere, JSON where asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from forwarder.model.words import plain

NARROW: Final = 90
"""With fewer columns than this, tables leave out what is not needed to go on."""

_STYLES: Final = {
    "held": "bold red",
    "WRONG": "bold red",
    "unmatched": "red",
    "queued": "yellow",
    "invoiced": "yellow",
    "sending": "yellow",
    "pending": "yellow",
    "forwarded": "green",
    "open": "green",
    "ok": "green",
    "expired": "dim",
    "cancelled": "dim",
}

Row = Sequence[object]


def print_json(document: Mapping[str, object] | Sequence[object]) -> None:
    """Print something for a program."""
    typer.echo(json.dumps(document, ensure_ascii=False))


def print_table(heads: Sequence[str], rows: Iterable[Row]) -> None:
    """Print a table; nothing in it is cut off, for half a hash cannot be copied."""
    if not is_terminal():
        _print_lines([heads, *rows])
        return
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold", justify="right" if head == "sat" else "left")
    for row in rows:
        table.add_row(*map(_cell, row))
    Console().print(table)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print what is known of one thing, line by line."""
    if not is_terminal():
        _print_lines(facts)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, _cell(value))
    Console().print(table)


def is_terminal() -> bool:
    """Whether a person is looking."""
    return Console().is_terminal


def is_narrow() -> bool:
    """Whether a table has to do with few columns."""
    return is_terminal() and Console().width < NARROW


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Say on a terminal that something takes its time; on stderr, so that no output has it."""
    with Console(stderr=True).status(what):
        yield


def _print_lines(rows: Iterable[Row]) -> None:
    for row in rows:
        typer.echo("\t".join(_text(value) for value in row))


def _cell(value: object) -> Text:
    # A Text, for a str could bring markup of its own.
    text = _text(value)
    return Text(text, style=_STYLES.get(text, ""))


def _text(value: object) -> str:
    return "" if value is None else plain(str(value))
