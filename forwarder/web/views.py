"""What operators are shown, as types: to HTTP and to the commands alike.

Their names are those on the wire.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from forwarder.model.actor import Actor
from forwarder.model.calendar import Unit
from forwarder.model.finding import FindingKind, FindingState
from forwarder.model.forward import ForwardState
from forwarder.model.invoice import InvoiceState
from forwarder.model.payment import Witness
from forwarder.model.sale import Standing
from forwarder.model.source import Source
from forwarder.web.answers import Hash, Moment, Sats
from forwarder.worker.watcher import State


class ForwardView(TypedDict):
    """One onward payout."""

    position: int
    merchant: str
    amountSat: int
    state: ForwardState
    attempt: int
    tries: int
    heldReason: str | None
    refusal: str | None
    payoutHash: Hash | None
    payoutExpiresAt: Moment | None
    nextTryAt: Moment | None
    sentAt: Moment | None
    sentFrom: str | None
    transactionId: str | None
    endedAt: Moment | None


class SaleView(TypedDict):
    """A sale as it stands in a list."""

    paymentHash: Hash
    externalId: str | None
    merchant: str | None
    description: str | None
    state: Standing
    amountSat: int | None
    receivedSat: int
    source: Source
    seenBy: Witness | None
    transactionId: str | None
    createdAt: Moment | None
    receivedAt: Moment | None
    forwardedAt: Moment | None
    forwards: list[ForwardView]


class InvoiceView(TypedDict):
    """What the customer was asked for."""

    externalId: str
    merchant: str | None
    amountSat: int
    description: str
    state: InvoiceState
    source: Source
    invoice: str
    createdAt: Moment
    expiresAt: Moment
    paidAt: Moment | None
    forwardedAt: Moment | None


class StepView(TypedDict):
    """One line of a sale's story."""

    at: Moment
    step: str
    actor: Actor
    detail: dict[str, object]


class PageView(TypedDict):
    """Some sales, and what to go on with."""

    success: Literal[True]
    payments: list[SaleView]
    next: str | None


class StoryView(TypedDict):
    """One sale with all that is known of it."""

    success: Literal[True]
    payment: SaleView
    invoice: InvoiceView | None
    timeline: list[StepView]


# `from` can be no name of a field in a class.
Span = TypedDict("Span", {"from": Moment, "to": Moment})
Since = TypedDict("Since", {"from": Moment})


class TradeView(Span):
    """What came and what arrived in an hour or a day."""

    payments: int
    receivedSat: int
    forwards: int
    forwardedSat: int
    medianSeconds: float | None
    slowSeconds: float | None


class TradesView(TypedDict):
    """What the charts show."""

    success: Literal[True]
    by: Unit
    zone: str
    figures: list[TradeView]


class ToldView(TypedDict):
    """How many pages were told something."""

    success: Literal[True]
    pages: int


class SatsView(TypedDict):
    """Where the satoshis are that came for invoices of ours."""

    received: int
    forwarded: int
    held: int
    outstanding: int
    refunded: int


class TodayView(Since):
    """What came and went since the day has begun; `held` came since then and is held now."""

    zone: str
    payments: int
    received: int
    forwarded: int
    held: int


class SumView(TypedDict):
    """So many, and so many satoshis together."""

    count: int
    sats: int


class SourceView(TypedDict):
    """What a source has received and paid on today, and what it still has to pay on."""

    received: int
    forwarded: int
    held: int
    outstanding: int


class ReconciliationView(TypedDict):
    """The last reading of the sources' own ledgers."""

    lastRunAt: Moment | None
    driftSats: int


class KeptView(TypedDict):
    """What the database says of everything at a glance."""

    version: str
    invoices: dict[InvoiceState, int]
    forwards: dict[ForwardState, int]
    sats: SatsView
    today: TodayView
    sources: dict[Source, SourceView]
    unmatched: SumView
    oldestOutstandingSeconds: int
    reconciliation: ReconciliationView
    findings: int


class SubscriptionView(TypedDict):
    """The watch on Blink."""

    state: State
    since: Moment
    opens: int
    lastEventAt: Moment | None


class CredentialsView(TypedDict):
    """Whether the key for POS pages is handed out, and if not, why."""

    enabled: bool
    reason: str | None
    checkedAt: Moment | None


class AllowanceView(TypedDict):
    """What is left of a limit."""

    left: int
    of: int
    seconds: int


class BlinkView(TypedDict):
    """What is left of Blink's limits."""

    handshakes: AllowanceView
    creations: AllowanceView


class LiveView(TypedDict):
    """What the running process alone knows."""

    subscription: SubscriptionView
    credentials: CredentialsView
    blink: BlinkView


class ClientsView(TypedDict):
    """How many pages are connected."""

    clients: int


class StatusView(KeptView, LiveView):
    """The whole state of the service."""

    websocket: ClientsView


class Moved(TypedDict):
    """A forward as it stood before the call."""

    paymentHash: Hash
    position: int
    amountSat: Sats
    state: ForwardState
    reason: str | None


class Replayed(TypedDict):
    """The forwards that are tried again now."""

    success: Literal[True]
    replayed: list[Moved]


class Resolved(TypedDict):
    """The forwards that were settled by hand."""

    success: Literal[True]
    resolved: list[Moved]


class Reconciled(TypedDict):
    """What a reading of the ledgers has found, by payment hash or by transaction id."""

    success: Literal[True]
    clean: bool
    dryRun: bool
    entries: int
    missed: list[Hash]
    rebuilt: list[Hash]
    unmatched: list[Hash]
    young: list[Hash]
    settled: list[Hash]
    refunded: list[str]
    strays: list[str]
    findings: list[str]
    driftSats: int


class FindingView(TypedDict):
    """What a ledger shows and our books do not explain."""

    id: int
    kind: FindingKind
    source: Source
    paymentHash: Hash | None
    transactionId: str
    amountSat: int
    seenAt: Moment
    text: str
    state: FindingState
    closedAt: Moment | None
    note: str | None


class FindingsView(TypedDict):
    """Some findings, oldest first, and the id to go on after."""

    success: Literal[True]
    findings: list[FindingView]
    next: int | None


class ClosedView(TypedDict):
    """A finding that is closed now."""

    success: Literal[True]
    finding: FindingView
