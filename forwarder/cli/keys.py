"""The command for the service's own secret."""

from __future__ import annotations

from dataclasses import asdict

import typer

from forwarder.cli.common import WRONG, DryRun, Json, with_database
from forwarder.cli.printing import print_json, print_table
from forwarder.model.rotation import Older, Rotation
from forwarder.settings import Settings
from forwarder.store.database import Database
from forwarder.worker import rotation
from forwarder.worker.clock import utc_now


def rotate(dry_run: DryRun = False, as_json: Json = False) -> None:
    """Encrypt all API keys under the newest value of FORWARDER_SECRET_KEY. Safe to run twice."""

    async def replace(settings: Settings, database: Database) -> Rotation:
        return await rotation.rotate(database, settings.keyring(), utc_now(), dry_run=dry_run)

    done = with_database(replace)
    if as_json:
        print_json(_as_json(done))
    else:
        _print(done, "would be encrypted anew" if dry_run else "encrypted anew")
    raise typer.Exit(WRONG if done.unreadable else 0)


def _as_json(done: Rotation) -> dict[str, object]:
    older = [{**asdict(value), "mayBeDropped": value.may_be_dropped} for value in done.older]
    return {**asdict(done), "older": older}


def _print(done: Rotation, resealed: str) -> None:
    rows = [
        *((name, resealed) for name in done.resealed),
        *((name, "encrypted under the newest value already") for name in done.current),
        *(
            (name, "UNREADABLE: set the value that it was encrypted with")
            for name in done.unreadable
        ),
    ]
    print_table(("merchant", "API key"), rows)
    for value in done.older:
        typer.echo(_verdict(value))


def _verdict(value: Older) -> str:
    if value.may_be_dropped:
        return f"value {value.place} may be dropped: nothing needs it any more"
    return "\n  ".join([f"value {value.place} must stay, for these need it:", *value.reasons])
