"""What can go wrong between a client and the node, on demand.

A fault is armed for a call by its name, or for `webhook`. Of several that fit, the first fires.

Any call, nothing done:
    refuse                 the connection is reset before anything happens
    http_404               the node is so old that it does not know the call
    http_500, http_503     the node, or what stands before it, answers with this status
Any call, done:
    lost_answer            the connection is reset instead of an answer
    executed_then_500      HTTP 500 instead of the answer
    garbage                an answer that is JSON and makes no sense
    late_answer            answered after `seconds`
`payinvoice` alone:
    failed                 PaymentFailed with `message`, and nothing was sent
    pending_then_success, pending_then_failure
                           the connection is reset, and the payment ends after `seconds`
`webhook`:
    drop, duplicate (`copies` in all), delay (`seconds`)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Operation = Literal[
    "getinfo",
    "getbalance",
    "createinvoice",
    "payinvoice",
    "incoming",
    "incoming_list",
    "outgoing",
    "outgoing_list",
    "webhook",
]
Kind = Literal[
    "refuse",
    "http_404",
    "http_500",
    "http_503",
    "lost_answer",
    "executed_then_500",
    "garbage",
    "late_answer",
    "failed",
    "pending_then_success",
    "pending_then_failure",
    "drop",
    "duplicate",
    "delay",
]


@dataclass(frozen=True, slots=True)
class NodeFault:
    """One thing to go wrong; `times` None is for ever."""

    operation: Operation
    kind: Kind
    times: int | None = 1
    seconds: float = 0.0
    message: str = "payment attempts exhausted without success"
    copies: int = 3


@dataclass(slots=True)
class _Armed:
    fault: NodeFault
    fired: int = 0

    @property
    def is_left(self) -> bool:
        return self.fault.times is None or self.fired < self.fault.times


@dataclass(slots=True)
class NodeFaults:
    """The armed faults, and those that have fired, in order."""

    fired: list[NodeFault] = field(default_factory=list)
    _armed: list[_Armed] = field(default_factory=list)

    def add(self, fault: NodeFault) -> None:
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Disarm everything; what has fired stays known."""
        self._armed.clear()

    def take(self, operation: Operation) -> NodeFault | None:
        """The fault that befalls this call, if any."""
        for armed in self._armed:
            if armed.fault.operation == operation and armed.is_left:
                armed.fired += 1
                self.fired.append(armed.fault)
                return armed.fault
        return None
