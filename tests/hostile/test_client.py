"""What Blink answers is bad input: a call ends with a value or a `BlinkError`, soon and small."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from forwarder.blink.client import BlinkClient
from forwarder.blink.errors import BlinkError, NeverSent
from forwarder.model.ledger import Paid
from tests.hostile.answers import TO_ANYTHING, bomb
from tests.hostile.blink import METHODS, REASON, Method, Reader, is_proof
from tests.hostile.impostor import Impostor, Said, serving
from tests.hostile.mangle import HASH, SPECIMENS, encoded, mangled

KEY: Final = "canary-blink-key-7777"
SEEDED_HTTP: Final = 2_500


class Stage:
    """An impostor without a sandbox, and a client that believes in it."""

    def __init__(self, impostor: Impostor, client: BlinkClient, origin: str) -> None:
        self.impostor = impostor
        self.client = client
        self.origin = origin

    async def hear(self, method: Method, said: Said, seconds: float = 3.0) -> object:
        """What a call makes of an answer: its value, or its `BlinkError`."""
        self.impostor.liar = lambda _asked, _honest: said
        try:
            async with asyncio.timeout(seconds):
                return await method(self.client)
        except BlinkError as exc:
            return exc


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    impostor = Impostor()
    async with serving(impostor.graphql) as origin:
        url = f"http://{origin}/graphql"
        async with BlinkClient.connect(url, SecretStr(KEY)) as client:
            yield Stage(impostor, client, origin)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", TO_ANYTHING)
async def test_what_is_no_answer_is_an_error_of_blinks(
    stage: Stage, name: str, method: str
) -> None:
    heard = await stage.hear(METHODS[method], TO_ANYTHING[name])
    assert isinstance(heard, BlinkError)
    assert not isinstance(heard, NeverSent), "the call had left"
    assert len(str(heard)) <= REASON, "a reason goes into the log and into the journal"


@pytest.mark.parametrize("method", METHODS)
async def test_mangled_answers_are_read_or_refused(stage: Stage, method: str) -> None:
    random = Random(method)  # noqa: S311 - replayable on purpose
    for n in range(SEEDED_HTTP // len(METHODS)):
        answer = mangled(random, SPECIMENS[method])
        heard = await stage.hear(METHODS[method], Said(encoded(random, answer)))
        if isinstance(heard, Paid):
            assert is_proof(answer), f"round {n}: {answer!r}"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
anything = st.recursive(
    scalars | st.sampled_from(["SUCCESS", "SEND", "LnUpdate", HASH]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["lnInvoicePaymentSend", "me", "errors", "status", "transaction", "message", "id"]
            ),
            inner,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answer=anything, method=st.sampled_from(sorted(METHODS)))
def test_any_data_at_all_is_read_or_refused(answer: object, method: str) -> None:
    reader = Reader()
    reader.answer = answer
    client = BlinkClient(reader, SecretStr("canary-key"))  # type: ignore[arg-type]

    async def hear() -> object:
        try:
            return await METHODS[method](client)
        except BlinkError as exc:
            return exc

    heard = asyncio.run(hear())
    assert not isinstance(heard, Paid) or is_proof(answer)


def peak_megabytes() -> float:
    """The most memory that this process has ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def test_an_endless_answer_is_cut_short(stage: Stage) -> None:
    try:
        heard = await stage.hear(METHODS["pay"], Said(endless=True), seconds=2)
    except TimeoutError:
        heard = None
    assert isinstance(heard, BlinkError), f"{stage.impostor.taken >> 20} MB were taken, and more"
    assert stage.impostor.taken < 64 << 20


async def test_a_small_answer_cannot_become_a_large_one(stage: Stage) -> None:
    said, before = bomb(megabytes=256), peak_megabytes()
    heard = await stage.hear(METHODS["pay"], said, seconds=10)
    assert isinstance(heard, BlinkError)
    assert peak_megabytes() - before < 128


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_key_is_not_carried_to_where_an_answer_points(stage: Stage, status: int) -> None:
    elsewhere = Impostor()
    async with serving(elsewhere.graphql) as origin:
        moved = Said(status=status, headers={"Location": f"http://{origin}/graphql"})
        assert isinstance(await stage.hear(METHODS["pay"], moved), BlinkError)
    assert not elsewhere.headers, "the call was made again, at another server"


async def test_a_redirect_to_nobody_does_not_prove_that_nothing_was_sent(stage: Stage) -> None:
    moved = Said(status=307, headers={"Location": "http://127.0.0.1:1/"})
    heard = await stage.hear(METHODS["pay"], moved)
    assert isinstance(heard, BlinkError)
    assert not isinstance(heard, NeverSent)


@pytest.mark.parametrize("status", [200, 400, 401, 500])
async def test_an_answer_that_repeats_the_key_does_not_bring_it_into_a_reason(
    stage: Stage, status: int
) -> None:
    """A gateway's page for developers may show the whole request, headers included."""
    page = Said(f"<pre>X-API-KEY: {KEY}</pre>".encode(), status=status)
    assert KEY not in str(await stage.hear(METHODS["pay"], page))
    told = Said(f'{{"errors": [{{"message": "bad key {KEY}"}}]}}'.encode(), status=status)
    assert KEY not in str(await stage.hear(METHODS["pay"], told))
