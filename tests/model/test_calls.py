"""Every end of a call has its name."""

from __future__ import annotations

import pytest

from forwarder.model.calls import Outcome, outcome_of, unobserved
from forwarder.model.errors import NeverSent, Refused, Unknown
from forwarder.model.refusal import (
    KEY_REFUSED,
    NODE_FAILED,
    NOT_AUTHORIZED,
    THROTTLED,
    TOO_MANY,
    Refusal,
)

REFUSALS = [
    (Refusal("RECEIVE_DISABLED", "no"), Outcome.REFUSED),
    (Refusal(None, "no"), Outcome.REFUSED),
    (Refusal(NODE_FAILED, "no"), Outcome.REFUSED),
    (Refusal(KEY_REFUSED, "no"), Outcome.KEY_REFUSED),
    (Refusal(NOT_AUTHORIZED, "no"), Outcome.KEY_REFUSED),
    (Refusal(THROTTLED, "no"), Outcome.THROTTLED),
    (Refusal(TOO_MANY, "no"), Outcome.THROTTLED),
]


@pytest.mark.parametrize(("refusal", "outcome"), REFUSALS)
def test_a_refusal_counts_alike_as_an_answer_and_as_an_error(
    refusal: Refusal, outcome: Outcome
) -> None:
    assert outcome_of(refusal) is outcome
    assert outcome_of(Refused(refusal)) is outcome


@pytest.mark.parametrize(
    ("ended", "outcome"),
    [
        (NeverSent(""), Outcome.NEVER_SENT),
        (Unknown(""), Outcome.UNKNOWN),
        ([], Outcome.ANSWERED),
    ],
)
def test_an_error_proves_what_it_proves_and_all_else_is_an_answer(
    ended: object, outcome: Outcome
) -> None:
    assert outcome_of(ended) is outcome


def test_nobody_has_to_count() -> None:
    unobserved("PayInvoice", Outcome.ANSWERED, 0.1)
