"""What every part of the worker works with."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from forwarder.model.keyring import Keyring
from forwarder.model.source import Source
from forwarder.phoenixd.client import PhoenixdClient
from forwarder.store.database import Database
from forwarder.worker.accounts import Accounts
from forwarder.worker.bell import Bell
from forwarder.worker.clock import Clock
from forwarder.worker.metrics import Metrics
from forwarder.worker.notifier import Notifier
from forwarder.worker.wallets import Wallets


@dataclass(frozen=True, slots=True)
class Bells:
    """One for each loop that others wake."""

    payout: Bell = field(default_factory=Bell)
    """A forward is due."""
    watcher: Bell = field(default_factory=Bell)
    """What is pending has changed."""
    expiry: Bell = field(default_factory=Bell)
    """An invoice was made, whose end may come before all others."""
    reconcilers: Mapping[Source, Bell] = field(
        default_factory=lambda: {source: Bell() for source in Source}
    )
    """Something at a source was not seen."""
    poll: Bell = field(default_factory=Bell)
    """A customer was shown an invoice of the node's."""
    hints: Bell = field(default_factory=Bell)
    """A webhook has told something, and it is kept."""


@dataclass(frozen=True, slots=True)
class Common:
    """The database, Blink's accounts, keys, pages, time and counts; `owner` names this process.

    `node` is the phoenixd node, where there is one. `unread` are the sources whose own ledgers were
    not read since the start: until they are, nothing is paid from them.
    """

    database: Database
    accounts: Accounts
    keyring: Keyring
    clock: Clock
    notifier: Notifier = field(default_factory=Notifier)
    bells: Bells = field(default_factory=Bells)
    metrics: Metrics = field(default_factory=Metrics)
    owner: str = field(default_factory=lambda: str(uuid.uuid4()))
    node: PhoenixdClient | None = None
    unread: set[Source] = field(default_factory=set)

    @property
    def wallets(self) -> Wallets:
        """The wallets that take customers' money."""
        return Wallets(self.accounts, self.node, self.clock)
