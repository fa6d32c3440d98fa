"""Commands that move money, or find out where it is at Blink."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from forwarder.cli.common import DryRun, Json, with_service
from forwarder.cli.printing import print_forwards, print_report
from forwarder.model.actor import Actor
from forwarder.model.forward import Forward
from forwarder.model.report import Report
from forwarder.model.units import PaymentHash
from forwarder.worker.service import Service


def replay(
    payment_hash: Annotated[str | None, typer.Argument(help="The payment to try again.")] = None,
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
        return await service.desk.replay(PaymentHash(payment_hash), Actor.COMMAND, dry_run=dry_run)

    print_forwards(with_service(press), as_json)


def resolve(
    payment_hash: Annotated[str, typer.Argument(help="The payment that a person has settled.")],
    note: Annotated[str, typer.Option(help="How it was settled; goes into the journal.")],
    as_json: Json = False,
) -> None:
    """Record that what is held of a payment was settled by hand."""
    if not note.strip():
        raise typer.BadParameter("say how it was settled", param_hint="--note")

    async def settle(service: Service) -> list[Forward]:
        return await service.desk.resolve(PaymentHash(payment_hash), note, Actor.COMMAND)

    print_forwards(with_service(settle), as_json)


def reconcile(
    since: Annotated[
        datetime | None, typer.Option(help="From this time on, UTC; by default since the last run.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Compare Blink's own ledger with ours, and take in what was missed."""
    start = None if since is None else since.replace(tzinfo=UTC)

    async def audit(service: Service) -> Report:
        return await service.reconciler.reconcile(start, dry_run=dry_run)

    print_report(with_service(audit), as_json)


def recover(as_json: Json = False) -> None:
    """Rebuild a lost or older database from all that Blink has ever booked."""
    print_report(with_service(lambda service: service.reconciler.recover()), as_json)
