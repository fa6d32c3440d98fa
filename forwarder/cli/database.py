"""Commands for the database and its tables."""

from __future__ import annotations

import typer

from forwarder.cli.common import with_database
from forwarder.settings import Settings
from forwarder.store.database import Database


def upgrade() -> None:
    """Bring the database up to date, as `run` does by itself."""

    async def nothing_more(_settings: Settings, _database: Database) -> None:
        return None

    with_database(nothing_more)
    typer.echo("the database is up to date")
