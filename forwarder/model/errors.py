"""What can go wrong with a call to those who hold the money, sorted by what it proves.

CallError
├── NeverSent  nothing left this machine: the other side cannot have acted
├── Refused    a definite no: the other side has not acted on *this* call
└── Unknown    anything else: the other side may or may not have acted
"""

from __future__ import annotations

from forwarder.model.refusal import Refusal
from forwarder.model.words import plain


class CallError(Exception):
    """A call failed."""

    def __init__(self, reason: str) -> None:
        super().__init__(plain(reason))


class NeverSent(CallError):
    """The call never left this machine."""


class Unknown(CallError):
    """Whether the other side has acted on the call is not known."""


class Refused(CallError):
    """The other side has refused the call."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))
