"""What the commands share: their options, what they work in, and how they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, TypeVar

import typer

from forwarder import logs
from forwarder.blink.errors import BlinkError
from forwarder.settings import Settings, SettingsError
from forwarder.store.database import Database, DatabaseError, DatabaseUrlError
from forwarder.store.merchants import TokenTaken
from forwarder.store.secrets import ForeignSecret, NotLeading
from forwarder.worker.desk import NoSuchPayment, NothingHeld
from forwarder.worker.service import Service

WRONG, BAD_USAGE = 1, 2  # exit statuses

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Result = TypeVar("Result")


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


async def _work(
    settings: Settings, work: Callable[[Settings, Database], Awaitable[Result]]
) -> Result:
    async with Database.open(settings.database_url) as database:
        return await work(settings, database)


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a person can mend into a sentence and an exit status."""
    try:
        yield
    except (SettingsError, DatabaseUrlError) as exc:
        fail(str(exc), BAD_USAGE)
    except TokenTaken:
        fail("another merchant has this POS token; nothing was changed", WRONG)
    except ForeignSecret:
        fail(
            "this database was made with another FORWARDER_SECRET_KEY; set that one, after the "
            "newest if it is being replaced. Nothing was changed",
            BAD_USAGE,
        )
    except NotLeading:
        fail(
            "no service uses the newest value of FORWARDER_SECRET_KEY yet: start every process "
            "with all values, the newest first, and then rotate. Nothing was changed",
            WRONG,
        )
    except NoSuchPayment:
        fail("there is no payment of this hash", WRONG)
    except NothingHeld:
        fail("nothing of this payment is held, so there is nothing to settle by hand", WRONG)
    except (DatabaseError, BlinkError, OSError) as exc:
        fail(str(exc), WRONG)


def fail(message: str, status: int) -> None:
    typer.echo(f"forwarder: {message}", err=True)
    raise typer.Exit(status)
