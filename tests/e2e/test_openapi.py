"""The real process does what its own `/openapi.json` says, whatever it is sent."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import OPERATOR_TOKEN, POS_TOKEN, World

SEED = 4000
EXAMPLES = 5  # of each call and kind of data, beside the written cases of each parameter

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
CONFIGURATION = f"""
[auth.openapi.posToken]
bearer = "{POS_TOKEN}"
[auth.openapi.operatorToken]
bearer = "{OPERATOR_TOKEN}"
[auth.openapi.pageToken]
api_key = "of-no-invoice"

[dictionaries.sales]
values = ["sale-paid", "sale-held", "sale-pending"]
[dictionaries.payments]
values = ["PAID", "HELD"]

[parameters]
"path.externalId" = {{dictionary = "sales", probability = 0.7}}
"path.paymentHash" = {{dictionary = "payments", probability = 0.7}}
"""


@pytest.mark.timeout(300)
async def test_every_call_answers_as_the_document_says(world: World, tmp_path: Path) -> None:
    await world.till.sell(externalId="sale-pending")
    paid = await world.till.sell(externalId="sale-paid")
    await world.blink.pay(paid["invoice"])
    await world.till.until(paid, "forwarded")
    held = await hold(world)
    configuration = CONFIGURATION.replace("PAID", paid["paymentHash"]).replace("HELD", held)
    folder = tmp_path / "schemathesis"
    folder.mkdir()
    (folder / "schemathesis.toml").write_text(configuration)
    # What a busy machine has made of a call is gone the second time; what is wrong is there again.
    said = await schemathesis(world, folder)
    assert said is None or await schemathesis(world, folder) is None, said


async def schemathesis(world: World, folder: Path) -> str | None:
    """What it has to say against the service, if anything."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("--config-file", "schemathesis.toml", "run", f"{world.forwarder.url}/openapi.json"),
        *("--phases", "examples,coverage,fuzzing", "--mode", "all", "--checks", "all"),
        *("--max-examples", str(EXAMPLES), "--seed", str(SEED), "--exclude-path", "/ws"),
        *("--no-color", "--generation-database", "none", "--continue-on-failure"),
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return None if process.returncode == 0 else output.decode()


async def hold(world: World) -> str:
    """A sale whose forward only a person can settle; its payment hash."""
    world.close_merchant()
    sale = await world.till.sell(externalId="sale-held")
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "paid")
    return str(sale["paymentHash"])
