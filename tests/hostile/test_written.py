"""The written corpus: each input is taken or refused as it stands beside it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Final, cast

import pytest
from aiohttp import web
from multidict import MultiDict
from pydantic import ValidationError

from forwarder.model import signature
from forwarder.model.signature import Envelope
from forwarder.web import requests
from forwarder.web.errors import ApiError
from forwarder.web.webhooks import BlinkEvent, NodeEvent
from tests.hostile import blink, node
from tests.hostile.answers import TO_ANYTHING
from tests.hostile.corpus import (
    BODY_CASES,
    ENVELOPES,
    FORGED,
    NO_MATTER,
    QUESTIONS,
    SIGNED,
    TOLD,
    UNKNOWN,
    Case,
    Question,
)
from tests.hostile.environment import NAMES, VALUES
from tests.hostile.frames import FRAMES, GREETINGS
from tests.hostile.web import SVIX_SECRETS, TOKENS
from tests.web.fakes import NOW

COUNTS: Final = {
    "bodies and messages of pages": len(BODY_CASES),
    "queries": len(QUESTIONS),
    "page tokens": len(FORGED),
    "signatures": len(ENVELOPES),
    "webhooks": len(TOLD),
    "answers of Blink's": len(TO_ANYTHING) * len(blink.METHODS),
    "answers of a node's": len(TO_ANYTHING) * len(node.METHODS),
    "events": len(FRAMES) + len(GREETINGS),
    "settings": len(NAMES) * len(VALUES),
}


def test_there_are_more_than_a_thousand_beside_the_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with capsys.disabled():
        print("\nwritten:", ", ".join(f"{count} {name}" for name, count in COUNTS.items()))  # noqa: T201
    assert sum(COUNTS.values()) - COUNTS["settings"] > 1_000


@pytest.mark.parametrize("case", BODY_CASES, ids=str)
def test_a_body_is_taken_or_refused_as_it_is_written(case: Case) -> None:
    code = None
    try:
        requests.read(case.sent, case.kind)
    except ApiError as exc:
        code = exc.code
    assert code == case.code


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_a_query_is_taken_or_refused_as_it_is_written(question: Question) -> None:
    asked = MultiDict([(question.name, question.value)])
    request = cast(web.Request, SimpleNamespace(query=asked))
    code = None
    try:
        requests.query(request, question.kind)
    except ApiError as exc:
        code = exc.code
    assert code == (None if question.is_taken else "invalid_request")


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_opens_nothing(name: str) -> None:
    assert TOKENS.invoice_id(FORGED[name], NOW) is None


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_is_believed_only_if_svix_has_closed_it(name: str) -> None:
    parts, is_good = ENVELOPES[name]
    assert signature.is_svixs(SIGNED, Envelope(*parts), SVIX_SECRETS, NOW) is is_good


@pytest.mark.parametrize(("kind", "said", "becomes"), TOLD, ids=lambda value: ascii(value)[:60])
def test_a_webhook_speaks_of_a_payment_or_of_none(
    kind: type[NodeEvent | BlinkEvent], said: object, becomes: str
) -> None:
    try:
        told = kind.model_validate_json(json.dumps(said)).income or NO_MATTER
    except ValidationError:
        told = UNKNOWN
    assert told == becomes
