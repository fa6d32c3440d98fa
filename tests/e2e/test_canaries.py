"""No secret comes to light: in no log, reply, page, metric, command, or file of the database.

The real process is led through sales, failures, every route and every command, with secrets that
are recognised wherever they turn up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import typer

from forwarder.cli import app
from forwarder.sandbox import Fault
from forwarder.web.routes import ROUTES, Route
from tests.e2e.canaries import DATABASE_PASSWORD, MADE, Canaries, secret_settings
from tests.e2e.conftest import World
from tests.e2e.process import Page

GARBAGE = (b"", b"{", b'{"amountSat": "much", "note": 7, "token": []}')

# What a command needs to be told; each one that is not here is called without a word.
WORDS = {
    "demo": ["--once"],
    "findings close": ["1", "--note", "a gift"],
    "merchants add": ["bob"],
    "merchants disable": ["bob"],
    "replay": ["{payment}"],
    "show": ["{payment}"],
    "resolve": ["{payment}", "--note", "settled by hand"],
}
ENDLESS = {"run", "sandbox"}  # the one is what is led here, the other has no secret of ours
BAD_USAGE = 2


def commands(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's own
    """Every command there is."""
    if not hasattr(group, "commands"):
        yield name, group
        return
    for word, command in group.commands.items():
        yield from commands(command, f"{name} {word}".strip())


def test_every_secret_setting_has_its_canary() -> None:
    assert set(MADE) == secret_settings()


@pytest.mark.parametrize("disguise", ["{}", "sha:{}", '"k": "{}"'])
def test_a_secret_that_stands_somewhere_is_found(disguise: str) -> None:
    canaries = Canaries(secrets={"key": b"canary"})
    for form in ("canary", "63616e617279", "Y2FuYXJ5"):
        canaries.seen = {"log": disguise.format(form).encode()}
        assert canaries.found() == ["key in log"]
    canaries.allowed = {("log", "key")}
    assert canaries.found() == []


@pytest.fixture
async def led(world: World) -> tuple[World, Canaries]:
    """A service whose every secret is a canary."""
    await world.forwarder.stop()
    for file in world.forwarder.folder.glob("forwarder.db*"):
        file.unlink()
    made = {name.upper(): make(world) for name, make in MADE.items()}
    # A node that is away: what is said of that must not say with which password it was tried.
    world.forwarder.environment.update(made, PHOENIXD_HOST="http://127.0.0.1:9")
    world.till._token = made["POS_TOKEN"]
    await world.forwarder.start()
    canaries = Canaries.of(world.forwarder.environment)
    credentials = "reply of GET /api/blink/blinkpos-credentials"
    canaries.allowed = {(credentials, "blinkpos_read_api_key")}
    return world, canaries


@pytest.mark.timeout(180)
async def test_no_secret_comes_to_light(led: tuple[World, Canaries]) -> None:
    world, canaries = led
    sale = await _forward_one(world, canaries)
    await _hold_one(world)
    await _say_nonsense(world, canaries, sale)
    for route in ROUTES:
        await _call(world, canaries, route, sale)
    _see_files(world, canaries, "while it runs")
    await _execute_everything(world, canaries, sale["paymentHash"])
    await _start_wrongly(world, canaries)
    await world.forwarder.kill()
    _see_files(world, canaries, "after a SIGKILL")
    await world.forwarder.start()
    assert await world.forwarder.stop() == 0
    _see_files(world, canaries, "at rest")
    canaries.see("log", bytes(world.forwarder.output))
    assert len(canaries.seen) > len(ROUTES)
    assert canaries.found() == []


async def _forward_one(world: World, canaries: Canaries) -> dict[str, str]:
    """A sale from its beginning to its end, with a page; its token is a secret too."""
    sale: dict[str, str] = await world.till.sell(description="a cup of coffee")
    canaries.secrets["page token"] = sale["token"].encode()
    canaries.allowed.add(("reply of POST /api/invoice", "page token"))
    async with world.till.page(sale) as page:
        await world.blink.pay(sale["invoice"])
        await page.until("forwarded")
        canaries.see("page", json.dumps(page.events).encode())
    return sale


async def _hold_one(world: World) -> None:
    """Blink takes the merchant's key no longer, and is in trouble besides."""
    sale = await world.till.sell(2_000)
    world.blink.revoke_key(world.forwarder.environment["MERCHANT_API_KEY"])
    await world.blink.pay(sale["invoice"])
    await world.till.until(sale, "paid")
    await world.until(lambda: b"a forward is held" in world.forwarder.output)
    for kind in ("http_503", "graphql_error", "lost_answer"):
        world.blink.faults.add(Fault(operation="*", kind=kind, times=1))


async def _say_nonsense(world: World, canaries: Canaries, sale: dict[str, str]) -> None:
    """What a page can get wrong, with secrets in the wrong places."""
    wrong = world.forwarder.environment["OPERATOR_TOKEN"]
    async with (
        aiohttp.ClientSession(world.forwarder.url) as session,
        session.ws_connect("/ws") as socket,
    ):
        page = Page(socket)
        await page.until("connected")
        for token in (wrong, sale["token"][:-3], sale["token"] + "x"):
            said = {"type": "identify", "externalId": sale["externalId"], "token": token}
            await page.send(said)
            await page.until("error")
        await page.send({"type": wrong, "externalId": wrong, "token": [wrong]})
        await page.until("error")
        canaries.see("page", json.dumps(page.events).encode())


async def _call(world: World, canaries: Canaries, route: Route, sale: dict[str, str]) -> None:
    """A route as everybody, with every kind of body."""
    names = {"external_id": sale["externalId"], "payment_hash": sale["paymentHash"]}
    path = re.sub(r"{(\w+)}", lambda found: names.get(found[1], "nothing"), route.path)
    environment = world.forwarder.environment
    tokens = ("", environment["POS_TOKEN"], environment["OPERATOR_TOKEN"], sale["token"])
    async with aiohttp.ClientSession(world.forwarder.url) as session:
        for token in tokens:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            for body in GARBAGE if route.method == "POST" else (None,):
                answer = await session.request(
                    route.method, f"{path}?token={sale['token']}", headers=headers, data=body
                )
                canaries.see(f"reply of {route}", str(answer.headers).encode())
                canaries.see(f"reply of {route}", await answer.read())


async def _execute_everything(world: World, canaries: Canaries, payment: str) -> None:
    """Every command."""
    new = {"NEW_MERCHANT_API_KEY": world.blink.create_key(world.merchant)}
    canaries.secrets["merchant's key"] = new["NEW_MERCHANT_API_KEY"].encode()
    for name, command in commands(typer.main.get_command(app)):
        if name in ENDLESS:
            continue
        words = [word.format(payment=payment) for word in WORDS.get(name, [])]
        if any("--json" in parameter.opts for parameter in command.params):
            words.append("--json")  # which leaves nothing out
        status, output = await world.forwarder.execute(*name.split(), *words, **new)
        assert status != BAD_USAGE, f"say in WORDS what {name} needs: {output}"
        canaries.see(f"command {name}", output.encode())


async def _start_wrongly(world: World, canaries: Canaries) -> None:
    """Whatever may be wrong with an environment is told of without its secrets."""
    nowhere = f"postgresql+asyncpg://forwarder:{DATABASE_PASSWORD}@127.0.0.1:9/nowhere"
    canaries.secrets["database password"] = DATABASE_PASSWORD.encode()
    secret = world.forwarder.environment["BLINKPOS_API_KEY"]
    for wrong in (
        {"PORT": "seventy"},
        {"PORT": secret, "MERCHANT_NAME": "\n", "ALLOWED_ORIGINS": secret},
        {"FORWARDER_SECRET_KEY": "another-secret-0123456789"},
        {"DATABASE_URL": nowhere},
        {"DATABASE_URL": f"{nowhere}?sslmode={DATABASE_PASSWORD}"},
        {"BLINKPOS_API_KEY": f"{secret} {secret}"},
        {"OPERATOR_TOKEN": "x" * 600},
    ):
        name = "doctor" if "DATABASE_URL" in wrong else "run"
        status, output = await world.forwarder.execute(name, **wrong)
        assert status != 0, output
        canaries.see(f"command {name}, wrongly", output.encode())


def _see_files(world: World, canaries: Canaries, when: str) -> None:
    """Everything that stands beside the database, its write-ahead log too."""
    files = [path for path in world.forwarder.folder.iterdir() if path.is_file()]
    assert any(path.name == "forwarder.db" for path in files)
    for path in files:
        canaries.see(f"file {path.name} {when}", path.read_bytes())
