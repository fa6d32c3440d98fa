"""Insert a row, unless it is there: the two databases spell it in two places."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from forwarder.store.database import Transaction

Values = Mapping[str, object]


async def insert_new(tx: Transaction, table: Table, values: Values) -> bool:
    """Insert a row unless one like it is there by any unique key; says whether it was inserted."""
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(values).on_conflict_do_nothing()
    return (await tx.execute(statement)).rowcount == 1
