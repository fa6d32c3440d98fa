"""Runs the migrations: in the service's own connection, or by hand in a checkout."""

from __future__ import annotations

import asyncio
import os
from typing import Literal

from alembic import context
from sqlalchemy import Connection, Enum
from sqlalchemy.ext.asyncio import create_async_engine

from forwarder.store.columns import Json, UtcDateTime
from forwarder.store.tables import metadata


def render(kind: str, item: object, _context: object) -> str | Literal[False]:
    """A migration must keep its meaning: it names no type of ours, which may change later."""
    match item:
        case UtcDateTime():
            return "sa.DateTime(timezone=True)"
        case Json():
            return "sa.Text()"
        case Enum():
            return f"sa.String(length={item.length})"
    return False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_server_default=True,
        render_item=render,
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    default = context.config.get_main_option("sqlalchemy.url") or ""
    engine = create_async_engine(os.environ.get("DATABASE_URL", default))
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(connect_and_migrate())
else:
    migrate(given)
