"""What can go wrong with a call to the node, sorted by what it proves.

PhoenixdError
├── NeverSent  nothing left this machine: the node cannot have acted
├── Refused    the node said no, definitely: it has not acted on *this* call
└── Unknown    anything else: the node may or may not have acted
"""

from __future__ import annotations

from typing import Final

from aiohttp import ClientConnectorError
from pydantic import ValidationError

from forwarder.model import errors
from forwarder.model.errors import CallError
from forwarder.model.refusal import KEY_REFUSED, THROTTLED, Refusal
from forwarder.model.words import plain

_KEY_REFUSED: Final = "phoenixd does not take PHOENIXD_TOKEN for this call"
_AMBIGUOUS_STATUSES: Final = frozenset({408, 409})


class PhoenixdError(CallError):
    """A call to the node failed."""


class NeverSent(PhoenixdError, errors.NeverSent):
    """The call never left this machine."""


class Unknown(PhoenixdError, errors.Unknown):
    """Whether the node has acted on the call is not known."""


class Refused(PhoenixdError, errors.Refused):
    """The node has refused the call."""


def translate(exc: Exception) -> PhoenixdError:
    """The one seam between aiohttp's exceptions and ours: what may have done harm is unknown."""
    match exc:
        case PhoenixdError():
            return exc
        case ClientConnectorError():
            return NeverSent(f"cannot reach phoenixd: {exc}")
        case TimeoutError():
            return Unknown("phoenixd did not answer in time")
        case ValidationError():
            return Unknown("phoenixd's answer was not understood")
        case _:
            return Unknown(f"{type(exc).__name__}: {exc}")


def answered(status: int, text: str) -> PhoenixdError:
    """What an answer means that is not the one that was asked for."""
    if status == 401:
        return Refused(Refusal(KEY_REFUSED, _KEY_REFUSED))
    if status in (403, 429):
        return Refused(Refusal(THROTTLED, f"HTTP status {status}"))
    if 400 <= status < 500 and status not in _AMBIGUOUS_STATUSES:
        return Refused(Refusal(f"HTTP_{status}", plain(text) or f"HTTP status {status}"))
    return Unknown(f"phoenixd answered with HTTP status {status}")
