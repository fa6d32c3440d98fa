"""The environment is bad input: the service starts, or says in a sentence what is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from typer.testing import CliRunner

from forwarder import logs
from forwarder.blink.client import BlinkClient
from forwarder.blink.errors import BlinkError
from forwarder.cli import app
from tests.e2e.fork import Fork
from tests.hostile.environment import CANARY, NAMES, VALUES, is_clear, read_settings
from tests.hostile.impostor import Impostor, serving

# A thread of aiosqlite's whose connection could not be opened may outlive the event loop.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

BAD_USAGE: Final = 2

# A value from the environment is text that the operating system could hold.
texts = st.text(
    st.characters(exclude_characters="\x00", exclude_categories=()), max_size=40
).filter(lambda text: _is_possible(text))


def _is_possible(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_every_setting_is_taken_or_named(name: str) -> None:
    for value in VALUES:
        said = read_settings({name: value})
        assert said is None or is_clear(said, {name}, {value}), (value, said)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), texts | st.sampled_from(VALUES), min_size=1))
def test_any_environment_is_taken_or_explained(environment: dict[str, str]) -> None:
    said = read_settings(environment)
    assert said is None or is_clear(said, set(environment), set(environment.values())), said


def keys() -> list[str]:
    """Values that the settings take for an API key."""
    return [v for v in VALUES if read_settings({"BLINKPOS_API_KEY": v}) is None and v.strip()]


@pytest.mark.parametrize("key", keys(), ids=ascii)
async def test_a_key_that_is_taken_can_be_sent(key: str) -> None:
    """Otherwise every call fails for a reason that no line of the start has told."""
    secret = SecretStr(key)
    impostor = Impostor()
    async with (
        serving(impostor.graphql) as origin,
        BlinkClient.connect(f"http://{origin}/graphql", secret) as client,
    ):
        with pytest.raises(BlinkError):
            await client.btc_wallet()
    assert [headers["X-API-KEY"] for headers in impostor.headers] == [key]


def urls() -> list[str]:
    """Values that the settings take for Blink's address."""
    return [v for v in VALUES if v and read_settings({"BLINK_API_URL": v}) is None]


@pytest.mark.parametrize("url", [*urls(), "http://a:b:c/", "http://[::1"], ids=ascii)
async def test_an_address_that_is_taken_is_one(url: str) -> None:
    if read_settings({"BLINK_API_URL": url}) is not None:
        return
    secret = SecretStr("key")
    async with BlinkClient.connect(url, secret) as client:
        with pytest.raises(BlinkError) as told:
            async with asyncio.timeout(5):
                await client.btc_wallet()
    assert "cannot reach" in str(told.value), "this can never be called; the start did not say so"


def command(environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """A command in this process, with what it says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(logs, "configure", lambda *_: None)
        for name, value in environment.items():
            patch.setenv(name, value)
        result = CliRunner().invoke(app, ["merchants", "list", "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


DATABASES: Final = [v for v in VALUES if ":" in v and "postgresql+asyncpg" not in v and v.strip()]


@pytest.mark.parametrize("url", [*DATABASES, "nonsense", "postgresql+asyncpg://"], ids=ascii)
def test_a_database_that_cannot_be_meant_is_told_in_one_sentence(url: str, tmp_path: Path) -> None:
    status, said = command({"DATABASE_URL": url}, tmp_path)
    assert status in (0, 1, BAD_USAGE)
    if status:
        assert "DATABASE_URL" in said or "cannot open the database" in said
        assert len(said) < 1_000


async def run(environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """The real process, which is expected not to start."""
    told = {"PATH": "/usr/bin:/bin", "PORT": "0", **environment}
    process = await Fork.start("run", cwd=folder, env=told)
    try:
        async with asyncio.timeout(8):
            output = await process.stdout.read()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
    return await process.wait(), output.decode(errors="replace")


REFUSED: Final = (
    {"BLINKPOS_API_KEY": ""},
    {"PORT": CANARY},
    {"BLINKPOS_API_KEY": CANARY, "POS_TOKEN": CANARY},
    {"BLINKPOS_API_KEY": "x" * 600, "LOG_LEVEL": CANARY, "INVOICE_EXPIRY_SECONDS": "0"},
    {"BLINKPOS_API_KEY": "key", "DATABASE_URL": f"oracle://u:{CANARY}@h/d"},
    {"BLINKPOS_API_KEY": "key", "DATABASE_URL": CANARY},
    {"BLINKPOS_API_KEY": "key", "FORWARDER_SECRET_KEY": " , "},
    {"BLINKPOS_API_KEY": f"{CANARY}\r\nX-Other: y"},
)


@pytest.mark.parametrize("environment", REFUSED, ids=lambda e: "+".join(e))
async def test_the_process_does_not_start_and_names_what_is_wrong(
    environment: dict[str, str], tmp_path: Path
) -> None:
    status, said = await run(environment, tmp_path)
    assert "Traceback" not in said, said
    assert CANARY not in said, said
    assert any(name in said for name in environment), said
    assert status == BAD_USAGE, said


def test_the_corpus_holds_what_is_taken_as_well_as_what_is_not() -> None:
    random = Random(0)  # noqa: S311
    taken = [read_settings({random.choice(NAMES): random.choice(VALUES)}) for _ in range(300)]
    assert 30 < sum(said is None for said in taken) < 270
