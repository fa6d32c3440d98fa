"""What can go wrong between a client and Blink, on demand.

A fault is armed for an operation (a root field of GraphQL), for `event` (something that `myUpdates`
tells of a payment; prices are never touched), for `callback` (a webhook), for `websocket` (one
handshake and what follows it), or for `*`, which is whatever its kind can happen to. Of several
that fit, the first armed fires.

HTTP operations, nothing executed:
    refuse                 the connection is reset before anything happens
    timeout_before         no answer ever
    http_500, http_502_html, http_503, http_429
                           the gateway answers with this status
    graphql_error          HTTP 200, top-level `errors` only
    too_many_requests      payload error TOO_MANY_REQUEST
    lock_busy              payload error ResourceAttemptsRedlockServiceError
    failure_no_effect      payload error with `code` and `message`
HTTP operations, executed:
    slow                   executed only after `seconds`
    late_answer            executed at once, answered after `seconds`
    lost_answer            the connection is reset instead of an answer
    half_answer            the connection breaks in the middle of the answer
    html_200               the gateway answers HTTP 200 with a page of its own
    executed_then_500      HTTP 500 instead of the answer
    executed_then_graphql_error
                           HTTP 200, top-level `errors` instead of the answer
    garbage                JSON of the right shape with wrong types and unknown enum values
    null_data              {"data": null}
    paid_before_answer     an outside customer pays the invoice that is being created; the event
                           goes out, then, after `seconds`, the answer to the creation
Sends only:
    failure_after_commit   the money moves, nobody is told, the answer is FAILURE
    success_without_transaction
                           SUCCESS, but `transaction` is null
    pending_then_success, pending_then_failure
                           PENDING, and the entry settles or is reversed after `seconds`
    already_paid_elsewhere someone else pays just before: ALREADY_PAID without a transaction of ours
Events:
    drop, duplicate (`copies` in all), delay (`seconds`), reorder (held until after the next event
    of the account), malformed (wrong types), error (a `next` with `errors` and null data)
Callbacks:
    drop (Svix never hears of it), duplicate (`copies` in all, under one id), delay (`seconds`)
Websockets:
    refuse                 HTTP 503 in place of the upgrade
    http_429               HTTP 429 in place of the upgrade
    no_ack                 `connection_init` is never acknowledged
    late_ack               `connection_init` is acknowledged after `seconds`
    drop_before_ack        the connection is reset upon `connection_init`
    not_authenticated      acknowledged, then NOT_AUTHENTICATED for each subscription
    no_first_event         no price after subscribing
    close                  closed with `code`, `seconds` after a subscription has started; 1006 is
                           a connection reset
    complete               the server completes the subscription after `seconds`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from forwarder.sandbox.entropy import Entropy

CannedKind = Literal[
    "refuse",
    "timeout_before",
    "http_500",
    "http_502_html",
    "http_503",
    "http_429",
    "graphql_error",
]
RefusalKind = Literal["too_many_requests", "lock_busy", "failure_no_effect"]
AnswerKind = Literal[
    "slow",
    "late_answer",
    "lost_answer",
    "half_answer",
    "html_200",
    "executed_then_500",
    "executed_then_graphql_error",
    "garbage",
    "null_data",
]
CreateKind = Literal["paid_before_answer"]
SendKind = Literal[
    "failure_after_commit",
    "success_without_transaction",
    "pending_then_success",
    "pending_then_failure",
    "already_paid_elsewhere",
]
EventKind = Literal["drop", "duplicate", "delay", "reorder", "malformed", "error"]
CallbackKind = Literal["drop", "duplicate", "delay"]
HandshakeKind = Literal["refuse", "http_429"]
SocketKind = Literal[
    "no_ack",
    "late_ack",
    "drop_before_ack",
    "not_authenticated",
    "no_first_event",
    "close",
    "complete",
]
FaultKind = (
    CannedKind
    | RefusalKind
    | AnswerKind
    | CreateKind
    | SendKind
    | EventKind
    | CallbackKind
    | HandshakeKind
    | SocketKind
)
# A handshake happens before Blink can know whose it is; the rest of a websocket's life after.
Place = Literal["http", "event", "callback", "handshake", "socket"]

CREATES = frozenset(
    {
        "lnInvoiceCreate",
        "lnUsdInvoiceCreate",
        "lnNoAmountInvoiceCreate",
        "lnInvoiceCreateOnBehalfOfRecipient",
    }
)
SENDS = frozenset(
    {"lnInvoicePaymentSend", "lnNoAmountInvoicePaymentSend", "intraLedgerPaymentSend"}
)

CANNED = frozenset(get_args(CannedKind))
REFUSALS = frozenset(get_args(RefusalKind))
SEND_KINDS = frozenset(get_args(SendKind))
CREATE_KINDS = frozenset(get_args(CreateKind))
KINDS: dict[Place, frozenset[str]] = {
    "http": CANNED | REFUSALS | frozenset(get_args(AnswerKind)) | SEND_KINDS | CREATE_KINDS,
    "event": frozenset(get_args(EventKind)),
    "callback": frozenset(get_args(CallbackKind)),
    "handshake": frozenset(get_args(HandshakeKind)),
    "socket": frozenset(get_args(SocketKind)),
}
# The operations that are no fields of GraphQL's, and where they take place.
RESERVED: dict[str, tuple[Place, ...]] = {
    "event": ("event",),
    "callback": ("callback",),
    "websocket": ("handshake", "socket"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to go wrong.

    `times` None is for ever; `after` lets the first ones pass; `account` limits it to the calls,
    events or sockets of one account id; `seconds` None is the kind's own default.
    """

    operation: str
    kind: FaultKind
    times: int | None = 1
    probability: float = 1.0
    after: int = 0
    seconds: float | None = None
    account: str | None = None
    code: str | int | None = None
    message: str | None = None
    copies: int = 3

    def __post_init__(self) -> None:
        if not any(self._fits(place) for place in KINDS):
            raise ValueError(f"fault {self.kind!r} cannot happen to {self.operation!r}")

    def strikes(self, place: Place, operation: str, account: str | None) -> bool:
        """Whether this fault is meant for such an occasion."""
        named = self.operation in ("*", operation) and self._fits(place)
        return named and suits(self.kind, operation) and self.account in (None, account)

    def wait(self, default: float = 0.0) -> float:
        return default if self.seconds is None else self.seconds

    def _fits(self, place: Place) -> bool:
        places = KINDS if self.operation == "*" else RESERVED.get(self.operation, ("http",))
        return place in places and self.kind in KINDS[place] and suits(self.kind, self.operation)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0
    fired: int = 0

    def fires(self, entropy: Entropy) -> bool:
        self.seen += 1
        spent = self.fault.times is not None and self.fired >= self.fault.times
        if spent or self.seen <= self.fault.after or not entropy.chance(self.fault.probability):
            return False
        self.fired += 1
        return True


class Faults:
    """The armed faults, and those that have fired, in order."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._armed: list[_Armed] = []
        self.fired: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Disarm everything; what has fired stays known."""
        self._armed.clear()

    def take(self, place: Place, operation: str, account: str | None) -> Fault | None:
        """The fault that befalls this occasion, if any."""
        for armed in self._armed:
            if armed.fault.strikes(place, operation, account) and armed.fires(self._entropy):
                self.fired.append(armed.fault)
                return armed.fault
        return None


def suits(kind: FaultKind, operation: str) -> bool:
    """Whether an operation can meet a kind that only creations or only sends know."""
    if operation == "*":
        return True
    if kind in SEND_KINDS:
        return operation in SENDS
    return kind not in CREATE_KINDS or operation in CREATES
