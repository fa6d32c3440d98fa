"""The commands, as the real executable: on a terminal, in a pipe, beside a service and without."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import pty
import re
import sys
import termios
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli.common import moment
from tests.e2e.conftest import OPERATOR_TOKEN, World

pytestmark = pytest.mark.timeout(180)  # each command is a process of its own

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
EXECUTABLE = Path(sys.executable).with_name("forwarder")


def environment(world: World, **more: str) -> dict[str, str]:
    """What the service has, and nothing else of this machine's."""
    port = str(world.forwarder.port)
    return {"PATH": os.environ["PATH"], "PORT": port, **world.forwarder.environment, **more}


async def pipe(world: World, *words: str, **more: str) -> tuple[int, str, str]:
    """The status, the output and the complaints of a command whose output is no terminal."""
    process = await asyncio.create_subprocess_exec(
        EXECUTABLE,
        *words,
        cwd=world.forwarder.folder,
        env=environment(world, **more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert b"Traceback" not in errors
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def terminal(world: World, *words: str, columns: int) -> tuple[int, str]:
    """The status of a command on a terminal of so many columns, and what it shows."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, columns))
    process = await asyncio.create_subprocess_exec(
        EXECUTABLE,
        *words,
        cwd=world.forwarder.folder,
        env=environment(world, TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = await asyncio.to_thread(drain, ours)
    os.close(ours)
    return await process.wait(), shown


def drain(terminal: int) -> str:
    """Everything that a terminal shows until nobody writes to it any more."""
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 65_536)
        except OSError:  # so Linux says that the other side is closed
            return shown.decode()
        shown += chunk


async def sales(world: World) -> dict[str, dict[str, Any]]:
    """Three sales: forwarded, held, and one that nobody has paid."""
    done = await world.till.sell(2_100, externalId="sale-done", description="=2+3")
    await world.blink.pay(done["invoice"])
    await world.till.until(done, "forwarded")
    world.close_merchant()
    held = await world.till.sell(900, externalId="sale-held", description="[red]tea[/nothing]")
    await world.blink.pay(held["invoice"])
    open_one = await world.till.sell(400, externalId="sale-open")
    async with asyncio.timeout(10):
        while not (await operator(world, "/api/payments?state=held"))["payments"]:
            await asyncio.sleep(0.05)
    return {"done": done, "held": held, "open": open_one}


async def operator(world: World, path: str) -> dict[str, Any]:
    """What the operator is answered."""
    status, found = await world.till.call("GET", path, token=OPERATOR_TOKEN)
    assert status == 200, found
    return found


async def test_a_program_gets_from_a_command_what_it_gets_over_http(world: World) -> None:
    made = await sales(world)
    held = made["held"]["paymentHash"]
    status, output, _ = await pipe(world, "list", "--json")
    assert (status, json.loads(output)) == (0, await operator(world, "/api/payments"))
    status, output, _ = await pipe(world, "show", held[:12], "--json")
    assert (status, json.loads(output)) == (0, await operator(world, f"/api/payments/{held}"))
    _, output, _ = await pipe(world, "status", "--json")
    told, asked = json.loads(output), await operator(world, "/api/status")
    assert told.pop("service").startswith("runs at http://127.0.0.1:")
    assert told.keys() == asked.keys()
    assert told["sats"] == asked["sats"]
    assert told["subscription"]["state"] == asked["subscription"]["state"]
    _, output, _ = await pipe(world, "export")
    rows = list(csv.DictReader(io.StringIO(output, newline="")))
    assert [row["externalId"] for row in rows] == ["sale-done", "sale-held"]
    assert [row["description"] for row in rows] == ["'=2+3", "[red]tea[/nothing]"]
    _, output, _ = await pipe(world, "export", "--json", "--output", "sales.json")
    lines = (world.forwarder.folder / "sales.json").read_text().splitlines()
    assert output == ""
    assert [json.loads(line)["state"] for line in lines] == ["forwarded", "held"]
    _, output, _ = await pipe(world, "export", "--from", "2200-01-01")
    assert len(output.splitlines()) == 1


async def test_a_pipe_gets_whole_hashes_between_tabs_and_no_colour(world: World) -> None:
    made = await sales(world)
    status, output, _ = await pipe(world, "list")
    head, held, done = output.splitlines()
    assert status == 0
    assert head.split("\t") == ["when", "sat", "state", "merchant", "sale", "hash"]
    assert held.split("\t")[1:3] == ["900", "held"]
    assert done.split("\t")[-1] == made["done"]["paymentHash"]
    _, output, _ = await pipe(world, "list", "--search", "sale-open")
    assert output.splitlines()[1].split("\t")[2] == "pending"
    _, output, _ = await pipe(world, "show", made["open"]["paymentHash"])
    assert "received\tnothing has arrived" in output


async def test_a_terminal_of_60_columns_shows_all_that_is_needed(world: World) -> None:
    made = await sales(world)
    held = made["held"]["paymentHash"]
    for words in (("list",), ("show", held), ("status",), ("replay", held[:8], "--dry-run")):
        status, shown = await terminal(world, *words, columns=60)
        assert status == 0, shown
        assert "held" in shown
        assert "\x1b[" in shown
        lines = ESCAPE.sub("", shown).splitlines()
        assert max(len(line.rstrip()) for line in lines) <= 60, shown
    status, shown = await terminal(world, "list", columns=120)
    assert "sale-held" in shown
    assert held[:12] in shown


async def test_without_a_service_the_commands_work_and_say_that_nothing_runs(
    world: World,
) -> None:
    made = await sales(world)
    held = made["held"]["paymentHash"]
    await world.forwarder.stop()
    status, output, _ = await pipe(world, "status", "--json")
    told = json.loads(output)
    assert (status, told["subscription"]) == (0, None)
    assert told["service"].startswith("nothing answers at http://127.0.0.1:")
    assert told["forwards"]["held"] == 1
    status, output, _ = await pipe(world, "resolve", held[:12], "--note", "paid in cash", "--json")
    assert (status, json.loads(output)["resolved"][0]["paymentHash"]) == (0, held)
    status, output, _ = await pipe(world, "list", "--state", "resolved", "--json")
    assert [sale["paymentHash"] for sale in json.loads(output)["payments"]] == [held]


def test_a_time_is_of_the_zone_that_it_names() -> None:
    assert moment("2026-01-31T12:00:00+02:00") == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert moment("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)


async def test_what_cannot_be_done_is_a_sentence_and_a_status(world: World) -> None:
    made = await sales(world)
    held = made["held"]["paymentHash"]
    cases: list[tuple[tuple[str, ...], int, str]] = [
        (("show", "f" * 64), 1, "there is no payment of this hash"),
        (("replay", "f" * 64), 1, "there is no payment of this hash"),
        (("show", "xyz"), 2, "payment hash"),
        (("show", ""), 2, "payment hash"),
        (("list", "--state", "lost"), 2, "lost"),
        (("list", "--limit", "0"), 2, "limit"),
        (("export", "--from", "2026"), 2, "a time like"),
        (("reconcile", "--since", "yesterday"), 2, "a time like"),
        (("status", "--zone", "Mars"), 2, "zone"),
        (("export", "--output", "/nowhere/at/all.csv"), 1, "No such file"),
        (("resolve", held, "--note", " "), 2, "note"),
        (("resolve", made["done"]["paymentHash"], "--note", "again"), 1, "nothing of this"),
    ]
    for words, expected, sentence in cases:
        status, output, errors = await pipe(world, *words)
        assert (status, output) == (expected, ""), errors
        assert sentence in errors
    refused = await pipe(world, "status", "--json", OPERATOR_TOKEN="a-wrong-one")
    assert "refused OPERATOR_TOKEN" in refused[1]
    silent = await pipe(world, "status", OPERATOR_TOKEN="")
    assert "set OPERATOR_TOKEN to see more" in silent[1]


async def test_a_command_under_another_secret_is_refused_and_changes_nothing(world: World) -> None:
    """Under its names what was paid would not be known, and be paid again."""
    await sales(world)
    before = await operator(world, "/api/payments")
    add = ("merchants", "add", "merchant", "--wallet", world.merchant.btc_wallet_id)
    for words in (("reconcile",), ("recover",), ("replay", "--all"), add):
        another = {"FORWARDER_SECRET_KEY": "another-one", "NEW_MERCHANT_API_KEY": "blink_another"}
        status, output, errors = await pipe(world, *words, **another)
        assert (status, output) == (2, ""), errors
        assert "made with another FORWARDER_SECRET_KEY" in errors
    assert await operator(world, "/api/payments") == before
    status, _, errors = await pipe(world, "reconcile")
    assert status == 0, errors
