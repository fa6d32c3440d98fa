"""What Prometheus reads: the instruments of this process, and how everything stands right now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from forwarder import __version__
from forwarder.model.finding import FindingKind
from forwarder.model.handshakes import LIMIT, WINDOW
from forwarder.model.source import Source
from forwarder.store import figures, findings, hints, invoices, recent, reconciliation
from forwarder.store.database import StoreError
from forwarder.store.figures import Figures
from forwarder.store.recent import HANDSHAKES
from forwarder.store.reconciliation import LastRun
from forwarder.worker.common import Common
from forwarder.worker.watcher import State, Watch

_DAY: Final = timedelta(days=1)
_Key = TypeVar("_Key", bound=str)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the database says."""

    figures: Figures
    pending: Mapping[Source, int]
    """Invoices that wait to be paid."""
    last_run: LastRun | None
    findings: Mapping[FindingKind, int]
    """What nothing explains and nobody has closed."""
    drift_sats: int
    """By how much ledgers and books differ."""
    handshakes: int
    unannounced: int
    """Payments of the last day at the node that no webhook has told of."""


@dataclass(frozen=True, slots=True)
class Process:
    """What this process knows without asking."""

    watch: Watch
    pages: int
    tasks_down: int
    read_key_usable: bool | None
    """Whether the key for POS pages can be handed out; None if there is none."""


async def exposition(common: Common, process: Process) -> bytes:
    """Every metric as text. Without the database, those that it keeps are left out."""
    now = common.clock()
    try:
        kept = await _read(common, now)
    except StoreError:
        kept = None
    standing = CollectorRegistry()
    standing.register(_Standing(process, kept, now))
    return generate_latest(common.metrics.registry) + generate_latest(standing)


async def _read(common: Common, now: datetime) -> Kept:
    async with common.database.reading() as tx:
        last_run = await reconciliation.overall(tx)
        return Kept(
            await figures.read(tx),
            {source: (await invoices.pending(tx, source)).count for source in Source},
            last_run,
            await findings.counts(tx),
            await reconciliation.drift(tx, last_run),
            len(await recent.times(tx, HANDSHAKES, now - WINDOW, now)),
            await hints.unannounced(tx, Source.PHOENIXD, now - _DAY),
        )


class _Standing(Collector):
    """Everything that goes up and down."""

    def __init__(self, process: Process, kept: Kept | None, now: datetime) -> None:
        self._process = process
        self._kept = kept
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges."""
        yield _labelled("build", "The version that runs.", "version", {__version__: 1})
        yield _gauge("database_up", "Whether the database answers.", self._kept is not None)
        yield from self._of_process()
        if self._kept is not None:
            yield from self._of_database(self._kept)

    def _of_process(self) -> Iterator[GaugeMetricFamily]:
        process = self._process
        states = {state.value: int(state is process.watch.state) for state in State}
        yield _labelled("subscription", "1 for the state of the watch on Blink.", "state", states)
        yield _gauge("pages_connected", "Pages with an open websocket.", process.pages)
        if process.read_key_usable is not None:
            text = "Whether the key for POS pages can be handed out."
            yield _gauge("read_key_usable", text, process.read_key_usable)
        text = "Tasks that have died and wait to begin again."
        yield _gauge("tasks_down", text, process.tasks_down)

    def _of_database(self, kept: Kept) -> Iterator[GaugeMetricFamily]:
        yield _labelled("invoices", "Invoices by state.", "state", kept.figures.invoices)
        text = "Invoices that wait to be paid, by whose they are."
        yield _labelled("pending_invoices", text, "source", kept.pending)
        yield _labelled("forwards_by_state", "Forwards by state.", "state", kept.figures.forwards)
        text = "Received, and still on its way."
        yield _gauge("outstanding_sats", text, kept.figures.outstanding)
        yield _gauge("held_sats", "Received, and held.", kept.figures.held)
        yield _gauge(
            "oldest_outstanding_seconds",
            "How long the oldest payment has been on its way; 0 if there is none.",
            _age(kept.figures.oldest_outstanding, self._now),
        )
        yield _gauge(
            "unannounced_payments",
            "Payments of the last day at the phoenixd node that no webhook has told of.",
            kept.unannounced,
        )
        left = max(0, LIMIT - kept.handshakes)
        yield _gauge("handshakes_left", "Websockets that may still be opened this minute.", left)
        text = "What a ledger shows and nothing explains, until a person closes it."
        yield _labelled("findings", text, "kind", kept.findings)
        if kept.last_run is not None:
            yield from _of_last_run(kept.last_run, kept.drift_sats)


def _of_last_run(run: LastRun, drift_sats: int) -> Iterator[GaugeMetricFamily]:
    yield _gauge(
        "reconciliation_drift_sats",
        "By how much the sources' ledgers and ours differ, until a person closes why.",
        drift_sats,
    )
    yield _gauge(
        "reconciliation_last_run_timestamp_seconds",
        "When every source's ledger had last been read to its end.",
        run.at.timestamp(),
    )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"forwarder_{name}", text, value=value)


def _labelled(name: str, text: str, label: str, values: Mapping[_Key, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"forwarder_{name}", text, labels=[label])
    for value, amount in values.items():
        family.add_metric([str(value)], amount)
    return family


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())
