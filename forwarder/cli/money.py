"""Commands that move money, or find out where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import typer

from forwarder.cli.common import WRONG, AnyHash, DryRun, Hash, Json, moment, with_service
from forwarder.cli.printing import print_facts, print_json, print_table, progress
from forwarder.model.actor import Actor
from forwarder.model.forward import Forward
from forwarder.model.report import Report
from forwarder.web import shapes
from forwarder.worker.service import Service


def replay(
    payment_hash: AnyHash = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is held.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Try again, now, what is held or waits. Safe to press twice."""
    if everything is (payment_hash is not None):
        raise typer.BadParameter("give either a payment hash or --all")

    async def press(service: Service) -> list[Forward]:
        if payment_hash is None:
            return await service.desk.replay_all(Actor.COMMAND, dry_run=dry_run)
        found = await service.books.hash_of(payment_hash)
        return await service.desk.replay(found, Actor.COMMAND, dry_run=dry_run)

    moved = with_service(press)
    _print_moved(shapes.replayed(moved), moved, as_json)


def resolve(
    payment_hash: Hash,
    note: Annotated[str, typer.Option(help="How it was settled; goes into the journal.")],
    as_json: Json = False,
) -> None:
    """Record that what is held of a payment was settled by hand."""
    if not note.strip():
        raise typer.BadParameter("say how it was settled", param_hint="--note")

    async def settle(service: Service) -> list[Forward]:
        found = await service.books.hash_of(payment_hash)
        return await service.desk.resolve(found, note, Actor.COMMAND)

    done = with_service(settle)
    _print_moved(shapes.resolved(done), done, as_json)


def reconcile(
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="TIME", help="From then on, UTC; or the last run."),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Compare the sources' own ledgers with ours, and take in what was missed."""

    async def audit(service: Service) -> Report:
        return await service.reconciler.reconcile(since, dry_run=dry_run)

    with progress("reading the ledgers"):
        report = with_service(audit)
    _print_report(report, as_json)


def recover(as_json: Json = False) -> None:
    """Rebuild a lost or older database from all that its sources have ever booked."""
    with progress("reading all of the ledgers"):
        report = with_service(lambda service: service.reconciler.recover())
    _print_report(report, as_json)


def _print_moved(shape: Mapping[str, object], moved: Sequence[Forward], as_json: bool) -> None:
    if as_json:
        print_json(shape)
    elif moved:
        rows = [(f.payment_hash, f.amount, f.state, f.held_reason) for f in moved]
        print_table(("payment", "sat", "was", "because"), rows)
    else:
        typer.echo("nothing to do")


def _print_report(report: Report, as_json: bool) -> None:
    if as_json:
        print_json(shapes.reconciled(report))
    else:
        print_facts((what, count) for what, count in _counts(report) if count)
        agree = report.drift_sats == 0
        typer.echo(f"the sources' ledgers and ours {'agree' if agree else 'DIFFER'}")
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
        ("new findings", len(report.opened)),
        ("difference, sat", report.drift_sats),
    ]
