"""How everything stands, in the words of the contract."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from forwarder import __version__
from forwarder.model.forward import ForwardState
from forwarder.model.invoice import InvoiceState
from forwarder.model.units import iso
from forwarder.store import figures, reconciliation
from forwarder.store.figures import Figures
from forwarder.store.reconciliation import LastRun
from forwarder.worker.common import Common
from forwarder.worker.credentials import Standing
from forwarder.worker.watcher import State, Watch

Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time as the contract writes it."""


class SubscriptionStatus(TypedDict):
    """The watch on Blink."""

    state: State
    since: Moment
    opens: int
    lastEventAt: Moment | None


class SatsStatus(TypedDict):
    """Where the satoshis are that came for invoices of ours."""

    received: int
    forwarded: int
    held: int
    outstanding: int


class ReconciliationStatus(TypedDict):
    """The last reading of Blink's own ledger."""

    lastRunAt: Moment | None
    driftSats: int


class CredentialsStatus(TypedDict):
    """Whether the key for POS pages is handed out, and if not, why."""

    enabled: bool
    reason: str | None
    checkedAt: Moment | None


class Status(TypedDict):
    """The state of the worker."""

    version: str
    subscription: SubscriptionStatus
    invoices: dict[InvoiceState, int]
    forwards: dict[ForwardState, int]
    sats: SatsStatus
    oldestOutstandingSeconds: int
    reconciliation: ReconciliationStatus
    credentials: CredentialsStatus


async def read(common: Common, watch: Watch, key: Standing) -> Status:
    """The status of this moment."""
    async with common.database.reading() as tx:
        now = await figures.read(tx)
        last = await reconciliation.last_run(tx)
    return {
        "version": __version__,
        "subscription": _subscription(watch),
        "invoices": now.invoices,
        "forwards": now.forwards,
        "sats": _sats(now),
        "oldestOutstandingSeconds": _age(now.oldest_outstanding, common.clock()),
        "reconciliation": _reconciliation(last),
        "credentials": _credentials(key),
    }


def _subscription(watch: Watch) -> SubscriptionStatus:
    return {
        "state": watch.state,
        "since": iso(watch.since),
        "opens": watch.opens,
        "lastEventAt": None if watch.last_event_at is None else iso(watch.last_event_at),
    }


def _sats(now: Figures) -> SatsStatus:
    return {
        "received": now.received,
        "forwarded": now.forwarded,
        "held": now.held,
        "outstanding": now.outstanding,
    }


def _reconciliation(last: LastRun | None) -> ReconciliationStatus:
    if last is None:
        return {"lastRunAt": None, "driftSats": 0}
    return {"lastRunAt": iso(last.at), "driftSats": last.drift_sats}


def _credentials(key: Standing) -> CredentialsStatus:
    checked_at = None if key.checked_at is None else iso(key.checked_at)
    return {"enabled": key.enabled, "reason": key.reason, "checkedAt": checked_at}


def _age(moment: datetime | None, now: datetime) -> int:
    return 0 if moment is None else max(0, int((now - moment).total_seconds()))
