"""The command that examines what a sale depends on."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import typer

from forwarder import logs
from forwarder.cli.common import WRONG, Json, explained
from forwarder.cli.printing import print_json, print_table, progress
from forwarder.settings import Settings
from forwarder.worker import doctor as examination
from forwarder.worker.clock import utc_now


def doctor(as_json: Json = False) -> None:
    """Check keys, scopes, wallets, database and clock."""
    with explained(), progress("examining"):
        settings = Settings.read()
        logs.configure("error", settings.log_format)
        findings = asyncio.run(_examine(settings))
    if as_json:
        print_json([asdict(found) for found in findings])
    else:
        marks = [("ok" if f.ok else "WRONG", f.subject, f.detail) for f in findings]
        print_table(("", "what", "finding"), marks)
    raise typer.Exit(0 if all(found.ok for found in findings) else WRONG)


async def _examine(settings: Settings) -> list[examination.Finding]:
    return [found async for found in examination.examine(settings, utc_now)]
