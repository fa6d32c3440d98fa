"""What an operator can see: the sales, their stories, sums and figures. Changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from forwarder.model import calendar
from forwarder.model.calendar import Slot
from forwarder.model.finding import Finding, FindingState
from forwarder.model.sale import Page, Place, Sale, Wanted
from forwarder.model.source import Source
from forwarder.model.trade import Trade
from forwarder.model.units import PaymentHash
from forwarder.store import figures, findings, journal, overview, reconciliation, sales, trade
from forwarder.store.database import Database
from forwarder.store.figures import Figures
from forwarder.store.journal import Step
from forwarder.store.overview import Day, OfSource, Sum
from forwarder.store.reconciliation import LastRun
from forwarder.worker.clock import Clock
from forwarder.worker.desk import NoSuchPayment

EXPORTED_AT_ONCE: Final = 500


class Ambiguous(Exception):
    """More than one sale has a hash that begins so."""


@dataclass(frozen=True, slots=True)
class Overview:
    """How everything stands at `now`, and what came and went since its day has begun."""

    now: datetime
    figures: Figures
    refunded: int
    sources: Mapping[Source, OfSource]
    unmatched: Sum
    zone: ZoneInfo
    day_begun: datetime
    day: Day
    last_run: LastRun | None
    findings: int
    """How many are open."""
    drift_sats: int
    """By how much ledgers and books differ, as far as nobody has closed it."""


class Books:
    """The books, for an operator. They need the database alone, so no service has to run."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def page(self, wanted: Wanted) -> Page:
        """The sales that are asked for, newest first."""
        async with self._database.reading() as tx:
            return await sales.page(tx, wanted)

    async def show(self, payment_hash: PaymentHash) -> tuple[Sale, list[Step]]:
        """A sale, paid or not, and its story. Raises `NoSuchPayment`."""
        async with self._database.reading() as tx:
            sale = await sales.find(tx, payment_hash)
            if sale is None:
                raise NoSuchPayment
            return sale, await journal.story(tx, payment_hash)

    async def hash_of(self, prefix: str) -> PaymentHash:
        """The hash that begins so. Raises `NoSuchPayment`, `Ambiguous`."""
        async with self._database.reading() as tx:
            found = await sales.beginning(tx, prefix, limit=2)
        if not found:
            raise NoSuchPayment
        if len(found) > 1:
            raise Ambiguous
        return found[0]

    async def overview(self, zone: ZoneInfo) -> Overview:
        """Everything at a glance."""
        now = self._clock()
        begun = calendar.midnight(now, zone)
        async with self._database.reading() as tx:
            last_run = await reconciliation.overall(tx)
            return Overview(
                now=now,
                figures=await figures.read(tx),
                refunded=await reconciliation.refunded(tx),
                sources={it: await overview.of_source(tx, it, begun) for it in Source},
                unmatched=await overview.unmatched(tx),
                zone=zone,
                day_begun=begun,
                day=await overview.day(tx, begun),
                last_run=last_run,
                findings=await findings.count(tx),
                drift_sats=await reconciliation.drift(tx, last_run),
            )

    async def findings(self, state: FindingState, after: int, limit: int) -> list[Finding]:
        """What ledgers show and nothing explains, oldest first, from the one after `after` on."""
        async with self._database.reading() as tx:
            return await findings.listed(tx, state, after, limit)

    async def trade(self, slots: Sequence[Slot]) -> list[Trade]:
        """What came and what arrived in each slot."""
        async with self._database.reading() as tx:
            return await trade.read(tx, slots)

    async def export(self, start: datetime, end: datetime) -> AsyncIterator[tuple[Sale, ...]]:
        """The sales that were paid in this time, oldest first, some at a time."""
        place = Place(start)
        while some := await self._paid_after(place, Place(end)):
            yield some
            place = some[-1].place

    async def _paid_after(self, place: Place, end: Place) -> tuple[Sale, ...]:
        # A transaction of its own: however slowly it is read, nothing is kept waiting.
        async with self._database.reading() as tx:
            return await sales.since(tx, place, end, EXPORTED_AT_ONCE)
