"""How a call to Blink ended, as it is counted."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from forwarder.blink.errors import BlinkError, NeverSent, Refused
from forwarder.blink.replies import CancelReply, CreateReply, PayReply
from forwarder.model.refusal import KEY_REFUSED, NOT_AUTHORIZED, Refusal


class Outcome(StrEnum):
    """Every way that a call can end."""

    ANSWERED = "answered"
    REFUSED = "refused"
    KEY_REFUSED = "key_refused"
    """Blink does not know the API key, or the key may not do this."""
    THROTTLED = "throttled"
    NEVER_SENT = "never_sent"
    UNKNOWN = "unknown"


Observer = Callable[[str, Outcome, float], None]
"""Takes the operation of a call, how it ended, and after how many seconds."""


def unobserved(_operation: str, _outcome: Outcome, _seconds: float) -> None:
    """Count nothing."""


def outcome_of(answer: object) -> Outcome:
    """How the call ended that was answered, or that failed, in this way."""
    match answer:
        case CreateReply() | CancelReply() | PayReply() if answer.errors:
            return _of_refusal(answer.errors[0].refusal())
        case Refused(refusal=refusal):
            return _of_refusal(refusal)
        case NeverSent():
            return Outcome.NEVER_SENT
        case BlinkError():
            return Outcome.UNKNOWN
        case _:
            return Outcome.ANSWERED


def _of_refusal(refusal: Refusal) -> Outcome:
    if refusal.code in (KEY_REFUSED, NOT_AUTHORIZED):
        return Outcome.KEY_REFUSED
    return Outcome.THROTTLED if refusal.is_throttling else Outcome.REFUSED
