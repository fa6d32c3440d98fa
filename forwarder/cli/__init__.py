"""The commands."""

from __future__ import annotations

from typing import Annotated

import typer

from forwarder import __version__
from forwarder.cli import (
    database,
    doctor,
    findings,
    keys,
    looking,
    merchants,
    money,
    serving,
    status,
)

app = typer.Typer(
    help="Forwards each payment of a shared Blink point of sale to its merchant, exactly once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show local variables, and with them keys
)
app.command("run")(serving.run)
app.command("demo")(serving.demo)
app.command("sandbox")(serving.sandbox)
app.command("status")(status.status)
app.command("list")(looking.list_sales)
app.command("show")(looking.show)
app.command("export")(looking.export)
app.command("doctor")(doctor.doctor)
app.command("replay")(money.replay)
app.command("resolve")(money.resolve)
app.command("reconcile")(money.reconcile)
app.command("recover")(money.recover)

_merchants = typer.Typer(help="The merchants and their Blink accounts.", no_args_is_help=True)
_merchants.command("add")(merchants.add)
_merchants.command("list")(merchants.show)
_merchants.command("disable")(merchants.disable)
app.add_typer(_merchants, name="merchants")

_findings = typer.Typer(help="What a ledger shows and nothing here explains.")
_findings.callback(invoke_without_command=True)(findings.show)
_findings.command("close")(findings.close)
app.add_typer(_findings, name="findings")

_keys = typer.Typer(help="The secret that everything is encrypted with.", no_args_is_help=True)
_keys.command("rotate")(keys.rotate)
app.add_typer(_keys, name="keys")

_db = typer.Typer(help="The database and its tables.", no_args_is_help=True)
_db.command("upgrade")(database.upgrade)
app.add_typer(_db, name="db")


def main() -> None:
    """The entry point."""
    app()


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit
