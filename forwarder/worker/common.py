"""What every part of the worker works with."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from forwarder.model.keyring import Keyring
from forwarder.store.database import Database
from forwarder.worker.accounts import Accounts
from forwarder.worker.bell import Bell
from forwarder.worker.clock import Clock
from forwarder.worker.metrics import Metrics
from forwarder.worker.notifier import Notifier


@dataclass(frozen=True, slots=True)
class Bells:
    """One for each loop that others wake."""

    payout: Bell = field(default_factory=Bell)
    """A forward is due."""
    watcher: Bell = field(default_factory=Bell)
    """What is pending has changed."""
    expiry: Bell = field(default_factory=Bell)
    """An invoice was made, whose end may come before all others."""
    reconciler: Bell = field(default_factory=Bell)
    """Something at Blink was not seen."""


@dataclass(frozen=True, slots=True)
class Common:
    """The database, Blink's accounts, keys, pages, time and counts; `owner` names this process."""

    database: Database
    accounts: Accounts
    keyring: Keyring
    clock: Clock
    notifier: Notifier = field(default_factory=Notifier)
    bells: Bells = field(default_factory=Bells)
    metrics: Metrics = field(default_factory=Metrics)
    owner: str = field(default_factory=lambda: str(uuid.uuid4()))
