"""What the commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import typer
from pydantic.alias_generators import to_camel
from rich.console import Console
from rich.table import Table

from forwarder.cli.common import WRONG
from forwarder.model.forward import Forward
from forwarder.model.report import Report


def print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False)
    for head in heads:
        # A hash that is cut off cannot be copied.
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_forwards(moved: list[Forward], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_as_json(forward) for forward in moved]))
    elif moved:
        rows = [(f.payment_hash, str(f.amount), f.state, f.held_reason or "") for f in moved]
        print_table(("payment", "sat", "was", "because"), rows)
    else:
        typer.echo("nothing to do")


def _as_json(forward: Forward) -> dict[str, object]:
    return {
        "paymentHash": forward.payment_hash,
        "position": forward.position,
        "amountSat": forward.amount,
        "state": forward.state,
        "reason": forward.held_reason,
    }


def print_report(report: Report, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({to_camel(name): value for name, value in asdict(report).items()}))
    else:
        rows = [(what, str(count)) for what, count in _counts(report) if count]
        print_table(("at Blink", ""), rows)
        agree = report.drift_sats == 0
        typer.echo(f"Blink's ledger and ours {'agree' if agree else 'DIFFER'}")
    raise typer.Exit(0 if report.drift_sats == 0 else WRONG)


def _counts(report: Report) -> list[tuple[str, int]]:
    return [
        ("entries read", report.entries),
        ("payments that were missed", len(report.missed)),
        ("lost invoices kept again", len(report.rebuilt)),
        ("payments of no invoice", len(report.unmatched)),
        ("payments too new to tell", len(report.young)),
        ("payouts found paid", len(report.settled)),
        ("payouts that came back", len(report.refunded)),
        ("payouts that nothing explains", len(report.strays)),
        ("difference, sat", report.drift_sats),
    ]
