"""Everything that Blink knows, wired together: the state behind the GraphQL of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from forwarder.sandbox.accounts import Account, Accounts
from forwarder.sandbox.bolt11 import Network
from forwarder.sandbox.callbacks import Callbacks
from forwarder.sandbox.entropy import Entropy
from forwarder.sandbox.faults import Faults
from forwarder.sandbox.invoices import Invoices
from forwarder.sandbox.lateness import Lateness
from forwarder.sandbox.ledger import Ledger
from forwarder.sandbox.locks import WalletLocks
from forwarder.sandbox.node import Node
from forwarder.sandbox.outside import Outside
from forwarder.sandbox.payments import Payments
from forwarder.sandbox.settlement import Settlement
from forwarder.sandbox.timers import Timers
from forwarder.sandbox.timing import Timing
from forwarder.sandbox.transactions import Statements
from forwarder.sandbox.updates import Updates

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Bank:
    network: Network
    clock: Clock
    entropy: Entropy
    faults: Faults
    timers: Timers
    updates: Updates
    callbacks: Callbacks
    accounts: Accounts
    ledger: Ledger
    statements: Statements
    node: Node
    outside: Outside
    invoices: Invoices
    settlement: Settlement
    payments: Payments

    def open_account(self, username: str, sats: int) -> Account:
        """A new account with two wallets, its bitcoin one holding so much from the start."""
        account = self.accounts.open(username)
        if sats:
            self.settlement.open_balance(self.accounts.wallet(account.btc_wallet_id), sats)
        return account


def establish(network: Network, clock: Clock, rng: Random, timing: Timing) -> Bank:
    """A bank without customers."""
    entropy, timers = Entropy(rng), Timers()
    faults = Faults(entropy)
    updates = Updates(clock, timing, timers, faults)
    callbacks = Callbacks(clock, entropy, timing, faults)
    accounts, ledger = Accounts(entropy), Ledger(entropy)
    statements = Statements(ledger, Lateness(clock))
    node, outside = Node(entropy, network), Outside(Node(entropy, network))
    invoices = Invoices(accounts, node, clock)
    settlement = Settlement(
        accounts, ledger, statements, outside, updates, callbacks, timers, clock
    )
    locks = WalletLocks(timing, entropy)
    payments = Payments(accounts, invoices, settlement, locks, clock)
    return Bank(
        network=network,
        clock=clock,
        entropy=entropy,
        faults=faults,
        timers=timers,
        updates=updates,
        callbacks=callbacks,
        accounts=accounts,
        ledger=ledger,
        statements=statements,
        node=node,
        outside=outside,
        invoices=invoices,
        settlement=settlement,
        payments=payments,
    )
