"""Commands for what a source's ledger shows and nothing here explains."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from forwarder.cli.common import Json, with_books, with_service
from forwarder.cli.printing import print_json, print_table
from forwarder.model.actor import Actor
from forwarder.model.finding import Finding, FindingState
from forwarder.web import shapes
from forwarder.worker.books import Books
from forwarder.worker.service import Service

MAX_LISTED: Final = 1000


def show(
    context: typer.Context,
    state: Annotated[
        FindingState, typer.Option(help="Only those that stand so.")
    ] = FindingState.OPEN,
    after: Annotated[int, typer.Option(min=0, help="Only those after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LISTED, help="How many.")] = 100,
    as_json: Json = False,
) -> None:
    """Show what a source's ledger has and nothing here explains, oldest first."""
    if context.invoked_subcommand is not None:
        return

    async def read(books: Books) -> list[Finding]:
        return await books.findings(state, after, limit)

    found = with_books(read)
    if as_json:
        print_json(shapes.findings(found, limit))
    elif found:
        rows = [(f.id, f.kind, f.source, f.amount, f.transaction_id, f.text) for f in found]
        print_table(("id", "kind", "source", "sat", "transaction", "what it is"), rows)
    else:
        typer.echo(f"no finding is {state}")


def close(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, help="The finding's number.")],
    note: Annotated[str, typer.Option(help="What you know of it; stays beside it for ever.")],
    as_json: Json = False,
) -> None:
    """Close a finding with what a person knows of it."""
    if not note.strip():
        raise typer.BadParameter("say what you know of it", param_hint="--note")

    async def press(service: Service) -> Finding:
        return await service.desk.close_finding(number, note, Actor.COMMAND)

    closed = with_service(press)
    if as_json:
        print_json(shapes.closed(closed))
    else:
        typer.echo(f"finding {closed.id} is closed")
