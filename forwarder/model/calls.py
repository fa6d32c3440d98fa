"""How a call to those who hold the money ended, as it is counted."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from forwarder.model.errors import CallError, NeverSent, Refused
from forwarder.model.refusal import KEY_REFUSED, NOT_AUTHORIZED, Refusal


class Outcome(StrEnum):
    """Every way that a call can end."""

    ANSWERED = "answered"
    REFUSED = "refused"
    KEY_REFUSED = "key_refused"
    """The other side does not know the key, or the key may not do this."""
    THROTTLED = "throttled"
    NEVER_SENT = "never_sent"
    UNKNOWN = "unknown"


Observer = Callable[[str, Outcome, float], None]
"""Takes the operation of a call, how it ended, and after how many seconds."""


def unobserved(_operation: str, _outcome: Outcome, _seconds: float) -> None:
    """Count nothing."""


def outcome_of(ended: object) -> Outcome:
    """How the call ended that was answered, refused, or that failed, in this way."""
    match ended:
        case Refusal() as refusal:
            return _of_refusal(refusal)
        case Refused(refusal=refusal):
            return _of_refusal(refusal)
        case NeverSent():
            return Outcome.NEVER_SENT
        case CallError():
            return Outcome.UNKNOWN
        case _:
            return Outcome.ANSWERED


def _of_refusal(refusal: Refusal) -> Outcome:
    if refusal.code in (KEY_REFUSED, NOT_AUTHORIZED):
        return Outcome.KEY_REFUSED
    return Outcome.THROTTLED if refusal.is_throttling else Outcome.REFUSED
