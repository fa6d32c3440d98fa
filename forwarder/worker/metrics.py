"""What is counted and timed, for Prometheus.

Every label has a closed set of values: never a hash, a key, a name or a text. A service has a
registry of its own, for several can live in one process; where several processes share a database,
each exports what it has done itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import product
from typing import Final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from forwarder.blink import documents
from forwarder.model.calls import Outcome
from forwarder.model.forward import OPEN, Forward
from forwarder.model.ledger import Proof
from forwarder.model.message import Message
from forwarder.model.payment import Receipt, Witness
from forwarder.model.refusal import Remedy
from forwarder.model.report import Report
from forwarder.model.source import Source
from forwarder.phoenixd import client as phoenixd
from forwarder.store.database import Access, Ending
from forwarder.worker import pulse

# They double what is scraped, and nobody reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]

CALL_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
SALE_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
TOLD_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


KNOWN_LATER: Final = ()
"""The values of a label that the worker does not know: those of routes and tasks."""


class End(StrEnum):
    """How the service has done with a forward, this time."""

    FORWARDED = "forwarded"
    FOUND_PAID = "found_paid"
    """Its source's ledger had its payment, which we had not seen."""
    RESOLVED = "resolved"


class Timing(StrEnum):
    """Whether a page heard of something as it happened, or when it came back."""

    AT_ONCE = "at_once"
    LATE = "late"


class Metrics:
    """The instruments. What stands in the database is read at each scrape, and not kept here."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        count = partial(_counter, self.registry)
        time = partial(_histogram, self.registry)

        self.invoices_made = count("invoices_made", "Invoices made for tills.")
        self.payments = count(
            "payments_received",
            "Payments received, by where their money is and who told us first.",
            source=Source,
            witness=Witness,
        )
        self.received = count(
            "received_sats",
            "Satoshis received, by where they are and who told us first.",
            source=Source,
            witness=Witness,
        )
        self.duplicates = count(
            "duplicate_receipts",
            "Receipts that were known before.",
            source=Source,
            witness=Witness,
        )
        self.forwards = count("forwards", "Forwards that came to their end.", end=End)
        self.forwarded = count("forwarded_sats", "Satoshis paid on to their destinations.")
        self.held = count(
            "forwards_held",
            "Forwards held, by what helps: it lifts by itself, or only a person can help.",
            remedy=(Remedy.WAIT, Remedy.HOLD),
        )
        self.retries = count("forward_retries", "Forwards put off to try again.", state=OPEN)
        self.proofs = count(
            "proofs",
            "Proofs asked of Blink or a node, by what they showed.",
            proof=("paid", "underway", "unpaid", "unanswered"),
        )
        self.told_seconds = time(
            "paid_to_told_seconds", "From a payment kept to its page told.", TOLD_SECONDS
        )
        self.forwarded_seconds = time(
            "paid_to_forwarded_seconds", "From a payment kept to it forwarded.", SALE_SECONDS
        )

        self.blink_calls = count(
            "blink_calls",
            "Calls to Blink, by how they ended.",
            operation=documents.OPERATIONS,
            outcome=Outcome,
        )
        self.blink_call_seconds = time(
            "blink_call_seconds",
            "How long calls to Blink took.",
            CALL_SECONDS,
            operation=documents.OPERATIONS,
        )
        self.phoenixd_calls = count(
            "phoenixd_calls",
            "Calls to the phoenixd node, by how they ended.",
            operation=phoenixd.OPERATIONS,
            outcome=Outcome,
        )
        self.phoenixd_call_seconds = time(
            "phoenixd_call_seconds",
            "How long calls to the phoenixd node took.",
            CALL_SECONDS,
            operation=phoenixd.OPERATIONS,
        )

        self.opens = count("subscription_opens", "Subscriptions opened.")
        self.disconnections = count("subscription_failures", "Subscriptions lost, or not had.")
        self.handshakes = count("handshakes", "Websocket handshakes begun at Blink.")
        self.events = count(
            "blink_events",
            "Events heard from Blink; a gap is one that was not understood.",
            kind=("payment", "sign_of_life", "gap"),
        )
        self.catch_ups = count(
            "catch_ups",
            "Times that a source was asked what was missed.",
            source=Source,
            outcome=("done", "failed"),
        )

        self.reconciliations = count(
            "reconciliations",
            "Readings of a source's ledger, by what they showed.",
            outcome=("clean", "mended", "differs", "failed"),
        )
        self.reconciliation_seconds = time(
            "reconciliation_seconds", "How long a reading of a source's ledger took.", SALE_SECONDS
        )

        self.messages = count(
            "messages_told",
            "Messages that pages were told.",
            kind=("payment", "forwarded", "expired", "cancelled"),
            timing=Timing,
        )

        self.requests = count(
            "http_requests",
            "HTTP requests answered.",
            method=KNOWN_LATER,
            route=KNOWN_LATER,
            status=KNOWN_LATER,
        )
        self.request_seconds = time(
            "http_request_seconds", "How long HTTP requests took.", CALL_SECONDS, route=KNOWN_LATER
        )

        self.transactions = count(
            "database_transactions",
            "Database transactions, by how they ended.",
            access=get_args(Access),
            ending=get_args(Ending),
        )
        self.transaction_seconds = time(
            "database_transaction_seconds",
            "How long database transactions took, with the wait for their turn.",
            CALL_SECONDS,
            access=get_args(Access),
        )
        self.deaths = count(
            "task_deaths", "Tasks that died and were started again.", task=KNOWN_LATER
        )

    def called_blink(self, operation: str, outcome: Outcome, seconds: float) -> None:
        """A call to Blink has ended."""
        pulse.beat()
        self.blink_calls.labels(operation, outcome).inc()
        self.blink_call_seconds.labels(operation).observe(seconds)

    def called_phoenixd(self, operation: str, outcome: Outcome, seconds: float) -> None:
        """A call to the node has ended."""
        pulse.beat()
        self.phoenixd_calls.labels(operation, outcome).inc()
        self.phoenixd_call_seconds.labels(operation).observe(seconds)

    def transacted(self, access: Access, ending: Ending, seconds: float) -> None:
        """A database transaction has ended."""
        pulse.beat()
        self.transactions.labels(access, ending).inc()
        self.transaction_seconds.labels(access).observe(seconds)

    def received_payment(self, receipt: Receipt, source: Source, witness: Witness) -> None:
        """A receipt is kept that was not known before."""
        self.payments.labels(source, witness).inc()
        self.received.labels(source, witness).inc(receipt.amount)

    def proved(self, proof: Proof) -> None:
        """Blink or a node has answered what it has of a payout."""
        self.proofs.labels(type(proof).__name__.lower()).inc()

    @contextmanager
    def reconciliation(self) -> Iterator[None]:
        """Time a reading of a source's ledger; one that fails is counted here."""
        with self.reconciliation_seconds.time():
            try:
                yield
            except Exception:
                self.reconciliations.labels("failed").inc()
                raise

    def reconciled(self, report: Report) -> None:
        """A source's ledger was read."""
        found = "clean" if report.is_clean else "differs" if report.drift_sats else "mended"
        self.reconciliations.labels(found).inc()

    def ended(self, forward: Forward, end: End, now: datetime) -> None:
        """A forward is at its end."""
        self.forwards.labels(end).inc()
        if end is not End.RESOLVED:
            self.forwarded.inc(forward.amount)
            self.forwarded_seconds.observe(_seconds(forward.created_at, now))

    def told(self, message: Message, timing: Timing, now: datetime) -> None:
        """A page was told."""
        kind = str(message.body["type"])
        self.messages.labels(kind, timing).inc()
        if kind == "payment" and timing is Timing.AT_ONCE:
            self.told_seconds.observe(_seconds(message.at, now))


def _counter(registry: CollectorRegistry, name: str, text: str, **labels: Iterable[str]) -> Counter:
    counter = Counter(name, text, list(labels), namespace="forwarder", registry=registry)
    _show(counter, labels)
    return counter


def _histogram(
    registry: CollectorRegistry,
    name: str,
    text: str,
    buckets: tuple[float, ...],
    **labels: Iterable[str],
) -> Histogram:
    histogram = Histogram(
        name, text, list(labels), namespace="forwarder", registry=registry, buckets=buckets
    )
    _show(histogram, labels)
    return histogram


def _show(instrument: Counter | Histogram, labels: Mapping[str, Iterable[str]]) -> None:
    """A series that began with its first event would hide that event from `rate`."""
    for values in product(*labels.values()) if labels else ():
        instrument.labels(*values)


def _seconds(since: datetime, now: datetime) -> float:
    """Never less than nothing: two processes need not agree on the time."""
    return max(0.0, (now - since).total_seconds())
