"""What the commands share: their options, what they work in, and how they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Final, NoReturn, TypeVar

import typer

from forwarder import logs
from forwarder.model.errors import CallError
from forwarder.model.sale import Search
from forwarder.settings import Settings, SettingsError
from forwarder.store.database import Database, DatabaseError, DatabaseUrlError, StoreError
from forwarder.store.merchants import TokenTaken
from forwarder.store.secrets import ForeignSecret, NotLeading
from forwarder.web import requests
from forwarder.worker.books import Ambiguous, Books
from forwarder.worker.clock import utc_now
from forwarder.worker.desk import (
    AlreadyForwarded,
    ClosedBefore,
    DeskError,
    NoSuchFinding,
    NoSuchPayment,
    NothingHeld,
)
from forwarder.worker.service import Service

WRONG, BAD_USAGE = 1, 2  # exit statuses

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Result = TypeVar("Result")


def _checked(text: str | None) -> str | None:
    prefix = None if text is None else Search(text).prefix
    if text is not None and prefix is None:
        raise typer.BadParameter("a payment hash, or at least 4 characters of its beginning")
    return prefix


Hash = Annotated[
    str, typer.Argument(callback=_checked, help="The payment's hash, or a beginning of its own.")
]
AnyHash = Annotated[
    str | None,
    typer.Argument(callback=_checked, help="The payment's hash, or a beginning of its own."),
]


def moment(text: str) -> datetime:
    """A time, in UTC where it does not say."""
    try:
        return requests.moment(text, zone=UTC)
    except ValueError:
        raise typer.BadParameter("a time like 2026-01-31 or 2026-01-31T12:00:00+02:00") from None


def with_service(work: Callable[[Service], Awaitable[Result]]) -> Result:
    """Run a command's work with the service at rest."""

    async def wire(settings: Settings, database: Database) -> Result:
        async with Service.wired(settings, database) as service:
            return await work(service)

    return with_database(wire)


def with_database(work: Callable[[Settings, Database], Awaitable[Result]]) -> Result:
    """Run a command's work with the settings and an open, current database."""
    with explained():
        settings = Settings.read()
        logs.configure("warning", settings.log_format)
        return asyncio.run(_work(settings, work))


def with_books(work: Callable[[Books], Awaitable[Result]]) -> Result:
    """Run a command's work with what an operator can see."""
    return with_database(lambda _, database: work(Books(database, utc_now)))


async def _work(
    settings: Settings, work: Callable[[Settings, Database], Awaitable[Result]]
) -> Result:
    async with Database.open(settings.database_url) as database:
        return await work(settings, database)


_SENTENCES: Final[Mapping[type[Exception], tuple[str, int]]] = {
    TokenTaken: ("another merchant has this POS token; nothing was changed", WRONG),
    ForeignSecret: (
        "this database was made with another FORWARDER_SECRET_KEY; set that one, after the "
        "newest if it is being replaced. Nothing was changed",
        BAD_USAGE,
    ),
    NotLeading: (
        "no service uses the newest value of FORWARDER_SECRET_KEY yet: start every process "
        "with all values, the newest first, and then rotate. Nothing was changed",
        WRONG,
    ),
    NoSuchPayment: ("there is no payment of this hash", WRONG),
    Ambiguous: ("several payments have a hash that begins so; give more of it", BAD_USAGE),
    NoSuchFinding: ("there is no finding of this number", WRONG),
    ClosedBefore: ("this finding is closed already; nothing was changed", WRONG),
    AlreadyForwarded: (
        "the ledger shows that this was forwarded, and that is kept now: pay nothing by hand",
        WRONG,
    ),
    NothingHeld: ("nothing of this payment is held, so there is nothing to settle by hand", WRONG),
}


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a person can mend into a sentence and an exit status."""
    try:
        yield
    except tuple(_SENTENCES) as exc:
        fail(*_SENTENCES[type(exc)])
    except (SettingsError, DatabaseUrlError) as exc:
        fail(str(exc), BAD_USAGE)
    except BrokenPipeError:
        raise  # whoever reads has read enough
    except (DatabaseError, CallError, DeskError, OSError) as exc:
        fail(str(exc), WRONG)
    except StoreError as exc:
        fail(f"the database failed: {getattr(exc, 'orig', None) or exc}", WRONG)


def fail(message: str, status: int) -> NoReturn:
    """Say in a sentence what is wrong, and leave with this status."""
    typer.echo(f"forwarder: {message}", err=True)
    raise typer.Exit(status)
