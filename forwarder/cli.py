"""The commands."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import structlog
import typer
from pydantic import SecretStr
from pydantic.alias_generators import to_camel
from rich.console import Console
from rich.table import Table

from forwarder import __version__, logs
from forwarder.blink.errors import BlinkError
from forwarder.model.actor import Actor
from forwarder.model.forward import Forward
from forwarder.model.merchant import Merchant, is_name
from forwarder.model.report import Report
from forwarder.model.units import PaymentHash, WalletId
from forwarder.settings import Settings, SettingsError
from forwarder.store import merchants
from forwarder.store.database import Database, DatabaseError, DatabaseUrlError
from forwarder.store.merchants import TokenTaken
from forwarder.store.secrets import ForeignSecret
from forwarder.web.server import Server, tls_context
from forwarder.worker import doctor as examination
from forwarder.worker.clock import utc_now
from forwarder.worker.desk import NoSuchPayment, NothingHeld
from forwarder.worker.enrolment import enrol
from forwarder.worker.service import Service

log = structlog.get_logger(__name__)

WRONG, BAD_USAGE = 1, 2  # exit statuses

app = typer.Typer(
    help="Forwards each payment of a shared Blink point of sale to its merchant, exactly once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show local variables, and with them keys
)
merchants_app = typer.Typer(help="The merchants and their Blink accounts.", no_args_is_help=True)
db_app = typer.Typer(help="The database and its tables.", no_args_is_help=True)
app.add_typer(merchants_app, name="merchants")
app.add_typer(db_app, name="db")


DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Result = TypeVar("Result")


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


# Serving


@app.command()
def run() -> None:
    """Serve until SIGTERM or SIGINT, then let what is under way end."""
    with _explained():
        settings = Settings.read()
        logs.configure(settings.log_level, settings.log_format)
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = _stop_signal()
    async with (
        Service.open(settings) as service,
        Server.serve(service, settings.host, settings.port, tls_context(settings)) as server,
    ):
        log.info("serving", url=server.url)
        await stop.wait()
        log.info("stopping")


@app.command("demo")
def demo_command(
    once: Annotated[
        bool, typer.Option("--once", help="Exit after the sale: 0 if the money arrived.")
    ] = False,
) -> None:
    """Make a sale on a local Blink, pay it, show each step, and serve until stopped."""
    from forwarder import demo  # a till needs no local Blink, and no time to load one

    with _explained():
        settings = Settings.read()
        logs.configure("warning", settings.log_format)
        arrived = asyncio.run(_until_stopped(demo.run(settings, once=once)))
    raise typer.Exit(0 if arrived else WRONG)


async def _until_stopped(work: Coroutine[None, None, bool]) -> bool:
    """Run something until its end or a signal's; to be stopped is not to fail."""
    stop = _stop_signal()
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return True


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="The port to serve on.")] = 4010,
    sats: Annotated[int, typer.Option(help="What BlinkPOS owns at the start.")] = 100_000,
) -> None:
    """Serve a local Blink, with a BlinkPOS account and one merchant, to try things against."""
    with _explained():
        logs.configure("info", None)
        asyncio.run(_serve_sandbox(port, sats))


async def _serve_sandbox(port: int, sats: int) -> None:
    from forwarder.sandbox import Sandbox

    stop = _stop_signal()
    async with Sandbox.serve(port=port) as blink:
        pos, merchant = blink.open_account("blinkpos", sats=sats), blink.open_account("merchant")
        typer.echo(f"BLINK_API_URL={blink.api_url}")
        typer.echo(f"BLINK_WS_URL={blink.ws_url}")
        typer.echo(f"BLINKPOS_API_KEY={blink.create_key(pos)}")
        typer.echo(f"MERCHANT_API_KEY={blink.create_key(merchant)}")
        typer.echo(f'# pay an invoice: POST {blink.control_url}/pay {{"paymentRequest": ...}}')
        sys.stdout.flush()
        await stop.wait()


# Merchants


@merchants_app.command("add")
def add_merchant(
    name: Annotated[
        str,
        typer.Argument(help="Its name; a known one gets the new key and token."),
    ],
    api_key: Annotated[
        str,
        typer.Option(
            envvar="NEW_MERCHANT_API_KEY",
            prompt="API key of the merchant's Blink account",
            hide_input=True,
            help="Needs RECEIVE, and READ unless --wallet is given.",
        ),
    ],
    token: Annotated[
        str | None,
        typer.Option(envvar="NEW_POS_TOKEN", help="Its POS token; by default a new one."),
    ] = None,
    wallet: Annotated[
        str | None, typer.Option(help="Its BTC wallet; Blink is asked if not given.")
    ] = None,
) -> None:
    """Add a merchant, or give a known one a new key and POS token."""
    if not is_name(name):
        raise typer.BadParameter("a name has 1 to 64 printable characters", param_hint="NAME")
    pos_token = token or secrets.token_urlsafe(24)

    async def add(settings: Settings, database: Database) -> Merchant:
        return await enrol(
            settings,
            database,
            name,
            SecretStr(api_key),
            SecretStr(pos_token),
            None if wallet is None else WalletId(wallet),
            utc_now(),
        )

    merchant = _with_database(add)
    typer.echo(f"merchant {merchant.name}: wallet {merchant.wallet_id}")
    typer.echo(f"its POS token, shown only now: {pos_token}")


@merchants_app.command("list")
def list_merchants(as_json: Json = False) -> None:
    """Show the merchants."""

    async def read(_settings: Settings, database: Database) -> list[Merchant]:
        async with database.reading() as tx:
            return await merchants.everyone(tx)

    known = _with_database(read)
    if as_json:
        typer.echo(json.dumps([asdict(merchant) for merchant in known]))
        return
    _print_table(
        ("name", "wallet", "enabled"),
        [(m.name, m.wallet_id or "not known yet", "yes" if m.enabled else "no") for m in known],
    )


@merchants_app.command("disable")
def disable_merchant(
    name: Annotated[str, typer.Argument(help="The merchant's name.")],
) -> None:
    """Refuse new sales of a merchant. What it has received is still forwarded."""

    async def disable(_settings: Settings, database: Database) -> bool:
        async with database.transaction() as tx:
            merchant = await merchants.named(tx, name)
            if merchant is not None:
                await merchants.disable(tx, merchant)
            return merchant is not None

    if not _with_database(disable):
        _fail(f"there is no merchant {name!r}", WRONG)
    typer.echo(f"merchant {name} makes no new sales")


# Looking after


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check keys, scopes, wallets, database and clock."""
    with _explained():
        settings = Settings.read()
        logs.configure("error", settings.log_format)
        findings = asyncio.run(_examine(settings))
    if as_json:
        typer.echo(json.dumps([asdict(found) for found in findings]))
    else:
        marks = [("ok" if f.ok else "WRONG", f.subject, f.detail) for f in findings]
        _print_table(("", "what", "finding"), marks)
    raise typer.Exit(0 if all(found.ok for found in findings) else WRONG)


async def _examine(settings: Settings) -> list[examination.Finding]:
    return [found async for found in examination.examine(settings, utc_now)]


@db_app.command("upgrade")
def upgrade_database() -> None:
    """Bring the database up to date, as `run` does by itself."""

    async def nothing_more(_settings: Settings, _database: Database) -> None:
        return None

    _with_database(nothing_more)
    typer.echo("the database is up to date")


@app.command()
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

    _print_forwards(_with_service(press), as_json)


@app.command()
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

    _print_forwards(_with_service(settle), as_json)


@app.command()
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

    _print_report(_with_service(audit), as_json)


@app.command()
def recover(as_json: Json = False) -> None:
    """Rebuild a lost or older database from all that Blink has ever booked."""
    _print_report(_with_service(lambda service: service.reconciler.recover()), as_json)


# What the commands share


def _with_service(work: Callable[[Service], Awaitable[Result]]) -> Result:
    """Run a command's work with the service at rest."""

    async def wire(settings: Settings, database: Database) -> Result:
        async with Service.wired(settings, database) as service:
            return await work(service)

    return _with_database(wire)


def _with_database(work: Callable[[Settings, Database], Awaitable[Result]]) -> Result:
    """Run a command's work with the settings and an open, current database."""
    with _explained():
        settings = Settings.read()
        logs.configure("warning", settings.log_format)
        return asyncio.run(_work(settings, work))


async def _work(
    settings: Settings, work: Callable[[Settings, Database], Awaitable[Result]]
) -> Result:
    async with Database.open(settings.database_url) as database:
        return await work(settings, database)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what a person can mend into a sentence and an exit status."""
    try:
        yield
    except (SettingsError, DatabaseUrlError) as exc:
        _fail(str(exc), BAD_USAGE)
    except TokenTaken:
        _fail("another merchant has this POS token; nothing was changed", WRONG)
    except ForeignSecret:
        _fail(
            "this database was made with another FORWARDER_SECRET_KEY; set that one, after the "
            "newest if it is being replaced. Nothing was changed",
            BAD_USAGE,
        )
    except NoSuchPayment:
        _fail("there is no payment of this hash", WRONG)
    except NothingHeld:
        _fail("nothing of this payment is held, so there is nothing to settle by hand", WRONG)
    except (DatabaseError, BlinkError, OSError) as exc:
        _fail(str(exc), WRONG)


def _fail(message: str, status: int) -> None:
    typer.echo(f"forwarder: {message}", err=True)
    raise typer.Exit(status)


def _stop_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set: stopping is not a cancellation."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False)
    for head in heads:
        # A hash that is cut off cannot be copied.
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _print_forwards(moved: list[Forward], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_as_json(forward) for forward in moved]))
    elif moved:
        rows = [(f.payment_hash, str(f.amount), f.state, f.held_reason or "") for f in moved]
        _print_table(("payment", "sat", "was", "because"), rows)
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


def _print_report(report: Report, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({to_camel(name): value for name, value in asdict(report).items()}))
    else:
        rows = [(what, str(count)) for what, count in _counts(report) if count]
        _print_table(("at Blink", ""), rows)
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
