"""What can go wrong with a call to Blink, sorted by what it proves.

BlinkError
├── NeverSent     nothing left this machine: Blink cannot have acted
├── Refused       Blink said no, definitely: it has not acted on *this* call
├── Unknown       anything else: Blink may or may not have acted
└── Disconnected  the subscription ended; events may be lost until it is open again
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aiohttp import ClientConnectorError
from gql.transport.exceptions import (
    TransportConnectionFailed,
    TransportQueryError,
    TransportServerError,
)

from forwarder.model import errors
from forwarder.model.errors import CallError
from forwarder.model.refusal import KEY_REFUSED, NOT_AUTHORIZED, THROTTLED, Refusal
from forwarder.model.words import plain

_CODE_OF_STATUS: Final = {401: KEY_REFUSED, 403: THROTTLED, 429: THROTTLED}
_MEANINGS: Final = {
    401: "Blink does not know this API key",
    429: "Blink takes no more calls from here just now",
}
_AMBIGUOUS_STATUSES: Final = frozenset({408, 409})  # 409: the idempotency key was used before


class BlinkError(CallError):
    """A call to Blink failed."""


class NeverSent(BlinkError, errors.NeverSent):
    """The call never left this machine."""


class Unknown(BlinkError, errors.Unknown):
    """Whether Blink has acted on the call is not known."""


class Disconnected(BlinkError):
    """The subscription has ended."""


class Refused(BlinkError, errors.Refused):
    """Blink has refused the call."""


def translate(exc: Exception) -> BlinkError:
    """The one seam between gql's exceptions and ours; what is not surely harmless is unknown."""
    match exc:
        case BlinkError():
            return exc
        case TransportConnectionFailed(__cause__=ClientConnectorError() as cause):
            return NeverSent(f"cannot reach Blink: {cause}")
        case TransportServerError(code=int(status)) if _is_refusal(status):
            code = _CODE_OF_STATUS.get(status, f"HTTP_{status}")
            return Refused(Refusal(code, _MEANINGS.get(status, f"HTTP status {status}")))
        case TransportQueryError(errors=list(errors)):
            return _from_errors(errors)
        case TimeoutError():
            return Unknown("Blink did not answer in time")
        case _:
            return Unknown(f"{type(exc).__name__}: {exc}")


def without(error: BlinkError, secret: str) -> BlinkError:
    """An error whose text does not repeat a secret, for what we sent may come back in it."""
    if secret not in str(error):
        return error
    if isinstance(error, Refused):
        message = error.refusal.message.replace(secret, "(a secret)")
        return Refused(replace(error.refusal, message=message))
    return type(error)(str(error).replace(secret, "(a secret)"))


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status not in _AMBIGUOUS_STATUSES


def _from_errors(errors: list[object]) -> BlinkError:
    """Sort top-level GraphQL errors; through Blink's router they come without a code."""
    messages = [plain(str(error.get("message"))) for error in errors if isinstance(error, dict)]
    for message in messages:
        if message == "Not authorized":
            return Refused(Refusal(NOT_AUTHORIZED, message))
        if "AuthorizationError" in message:
            return Refused(Refusal(None, message))
    return Unknown("; ".join(messages) or "Blink answered with errors")
