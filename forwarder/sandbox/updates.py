"""The stream of `myUpdates`: a bus per account that keeps nothing and replays nothing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import ClassVar, Literal

from forwarder.sandbox.accounts import Account
from forwarder.sandbox.faults import Fault, Faults
from forwarder.sandbox.prices import Price, RealtimePrice
from forwarder.sandbox.timers import Timers
from forwarder.sandbox.timing import Timing
from forwarder.sandbox.transactions import TransactionView


@dataclass(frozen=True, slots=True)
class LnUpdate:
    """An invoice of ours was paid, by whomever; Blink only ever says PAID."""

    typename: ClassVar[str] = "LnUpdate"
    transaction: TransactionView
    payment_hash: str
    wallet_id: str
    status: Literal["PAID"] = "PAID"


@dataclass(frozen=True, slots=True)
class IntraLedgerUpdate:
    typename: ClassVar[str] = "IntraLedgerUpdate"
    transaction: TransactionView
    amount: int
    wallet_id: str
    tx_notification_type: Literal["IntraLedgerReceipt"] = "IntraLedgerReceipt"
    display_currency_per_sat: float = 0.0
    usd_per_sat: float = 0.0


Update = LnUpdate | IntraLedgerUpdate | Price | RealtimePrice
Flaw = Literal["malformed", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """One message of the stream. `me` is null on prices, and otherwise made of the account."""

    update: Update
    me: Account | None = None
    flaw: Flaw | None = None


class Subscription:
    """One reader of an account's events; the end of the stream is `None` in its queue."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()

    def put(self, event: Event | None) -> None:
        self._queue.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            yield event


class Updates:
    def __init__(
        self, clock: Callable[[], datetime], timing: Timing, timers: Timers, faults: Faults
    ) -> None:
        self._clock = clock
        self._timing = timing
        self._timers = timers
        self._faults = faults
        self._subscriptions: dict[str, list[Subscription]] = defaultdict(list)
        self._held: dict[str, list[Event]] = defaultdict(list)

    @property
    def count(self) -> int:
        return sum(len(subscribed) for subscribed in self._subscriptions.values())

    def start(self) -> None:
        self._timers.every(self._timing.price_period, self._publish_all_prices)

    def subscribe(self, account_id: str, *, first_price: bool = True) -> Subscription:
        subscription = Subscription(account_id)
        self._subscriptions[account_id].append(subscription)
        if first_price:
            # On the account's own channel: its other subscribers get this price too.
            self._timers.after(self._timing.first_price, partial(self.publish_price, account_id))
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a reader; what is published while nobody reads is lost."""
        subscribed = self._subscriptions[subscription.account_id]
        if subscription in subscribed:
            subscribed.remove(subscription)

    def publish_receipt(self, account: Account, tx: TransactionView) -> None:
        """Tell an account that it was paid. There is no such thing for sends."""
        self._publish_with_faults(account.id, Event(receipt_update(tx), account))

    def publish_price(self, account_id: str) -> None:
        self._deliver(account_id, Event(Price()))
        self._deliver(account_id, Event(RealtimePrice(self._clock())))

    def _publish_all_prices(self) -> None:
        for account_id in list(self._subscriptions):
            self.publish_price(account_id)

    def _publish_with_faults(self, account_id: str, event: Event) -> None:
        fault = self._faults.take("event", "event", account_id)
        if fault is None:
            self._deliver(account_id, event)
        else:
            self._misdeliver(account_id, event, fault)

    def _misdeliver(self, account_id: str, event: Event, fault: Fault) -> None:
        match fault.kind:
            case "drop":
                pass
            case "duplicate":
                for _ in range(fault.copies):
                    self._deliver(account_id, event)
            case "delay":
                self._timers.after(fault.wait(0.1), partial(self._deliver, account_id, event))
            case "reorder":
                self._held[account_id].append(event)
            case "malformed" | "error" as flaw:
                self._deliver(account_id, replace(event, flaw=flaw))
            case kind:
                raise AssertionError(f"{kind} is not a fault of events")

    def _deliver(self, account_id: str, event: Event) -> None:
        for released in (event, *self._held.pop(account_id, ())):
            for subscription in self._subscriptions[account_id]:
                subscription.put(released)


def receipt_update(tx: TransactionView) -> LnUpdate | IntraLedgerUpdate:
    # What an invoice brought in is an LnUpdate even when the payer is a Blink user as well.
    if tx.initiation == "lightning" and tx.payment_hash:
        return LnUpdate(tx, tx.payment_hash, tx.wallet_id)
    return IntraLedgerUpdate(tx, tx.amount, tx.wallet_id)
