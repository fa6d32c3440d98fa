"""The service: every part of the worker, wired, started, and brought to rest."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import structlog
from pydantic import SecretStr

from forwarder.failpoints import failpoint
from forwarder.model.message import Notice
from forwarder.model.source import Source
from forwarder.phoenixd.client import PhoenixdClient
from forwarder.settings import Settings, SettingsError
from forwarder.store import broadcasts, claims, secrets
from forwarder.store.database import Database
from forwarder.store.vault import Vault
from forwarder.worker import scrape
from forwarder.worker.accounts import Accounts
from forwarder.worker.books import Books
from forwarder.worker.catch_up import CatchUp
from forwarder.worker.clock import Clock
from forwarder.worker.common import Common
from forwarder.worker.credentials import Credentials
from forwarder.worker.desk import Desk
from forwarder.worker.enrolment import enrol_from_environment
from forwarder.worker.expiry import Expiry
from forwarder.worker.forwarding import Forwarding
from forwarder.worker.handshakes import Handshakes
from forwarder.worker.hints import Hints
from forwarder.worker.intake import Intake
from forwarder.worker.invoicing import Invoicing
from forwarder.worker.live import Live
from forwarder.worker.metrics import Metrics
from forwarder.worker.moves import Moves
from forwarder.worker.payout import Payout
from forwarder.worker.poll import Poll
from forwarder.worker.readiness import Readiness
from forwarder.worker.reconciler import Reconciler
from forwarder.worker.sales import Sales
from forwarder.worker.sending import Sending
from forwarder.worker.shared_clock import SharedClock, clock_of
from forwarder.worker.subscription import Subscription
from forwarder.worker.supervisor import Supervisor
from forwarder.worker.tail import Tail
from forwarder.worker.watcher import Watcher

log = structlog.get_logger(__name__)

DRAIN_SECONDS: Final = 25.0  # longer than the longest call that may be under way


class Service:
    """Everything that runs beside the web side, and what the web side may use of it."""

    def __init__(self, settings: Settings, pos_key: SecretStr, common: Common) -> None:
        self.settings = settings
        self.keyring = common.keyring
        self.clock = common.clock
        self.notifier = common.notifier
        self.metrics = common.metrics
        self._common = common
        intake = Intake(common)
        catch_ups = {source: CatchUp(common, intake, source) for source in common.wallets.sources}
        open_subscription = partial(
            Subscription.open, common, settings.blink_ws_url, pos_key, intake
        )
        linger_seconds = settings.subscription_linger_seconds
        catch_up = catch_ups[Source.BLINK]
        self.watcher = Watcher(common, open_subscription, catch_up, linger_seconds)
        self.reconciler = Reconciler(common, intake, settings.reconcile_interval_seconds)
        self.sales = Sales(common, intake, self.watcher)
        self.desk = Desk(common)
        self.books = Books(common.database, common.clock)
        self.credentials = Credentials(common, settings)
        self.hints = Hints(common, intake)
        self.sources = common.wallets.sources
        self._expiry = Expiry(common, list(catch_ups.values()))
        self._polls = [Poll(common, one) for one in catch_ups.values() if one is not catch_up]
        moves = Moves(common, settings.retry_max_seconds)
        forwarding = Forwarding(Invoicing(common, moves), Sending(common, moves), moves)
        self._payout = Payout(common, forwarding, moves)
        self._tail = Tail(common)
        self._handshakes = Handshakes(common)
        self._supervisor = Supervisor(common.metrics)
        self._readiness = Readiness(common, self._supervisor)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, clock: Clock | None = None) -> AsyncIterator[Service]:
        """Run the service until the end of the block, then drain it.

        Raises `SettingsError`, `DatabaseError`, `TokenTaken`, and `ForeignSecret`.
        """
        metrics = Metrics()
        async with AsyncExitStack() as stack:
            opening = Database.open(settings.database_url, metrics.transacted)
            database = await stack.enter_async_context(opening)
            if database.is_embedded:
                stack.callback(database.only_process().release)
            service = await stack.enter_async_context(cls.wired(settings, database, clock, metrics))
            await service._prepare()
            await failpoint("service.prepared")
            service._start()
            stack.push_async_callback(service._stop)
            yield service

    @classmethod
    @asynccontextmanager
    async def wired(
        cls,
        settings: Settings,
        database: Database,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> AsyncIterator[Service]:
        """The service at rest: for a command that does one thing beside a running one.

        Raises `SettingsError`, `ForeignSecret`.
        """
        pos_key = settings.blinkpos_api_key
        if pos_key is None:
            raise SettingsError("BLINKPOS_API_KEY is needed: a key with READ, RECEIVE and WRITE")
        keyring, metrics = settings.keyring(), metrics or Metrics()
        clock = clock or await clock_of(database)
        async with database.reading() as tx:
            await secrets.recognise(tx, keyring.fingerprints())
        accounts = Accounts.open(
            settings.blink_api_url,
            pos_key,
            settings.blinkpos_btc_wallet_id,
            database,
            Vault(keyring),
            metrics.called_blink,
        )
        async with accounts as opened, _node(settings, metrics) as node:
            common = Common(database, opened, keyring, clock, metrics=metrics, node=node)
            yield cls(settings, pos_key, common)

    async def lacks(self) -> str | None:
        """Why this process is not ready to serve, in words; None if it is."""
        return await self._readiness.lacks()

    async def live(self) -> Live:
        """What this process alone knows of how it stands."""
        return Live(
            watch=self.watcher.watch,
            credentials=self.credentials.standing,
            handshakes_left=await self._handshakes.left(),
            creations_left=await self.sales.left(),
        )

    async def broadcast(self, message: str) -> int:
        """Tell every connected page something; returns how many this process has told."""
        notice = Notice(str(uuid.uuid4()), self.clock(), message)
        async with self._common.database.transaction() as tx:
            await broadcasts.add(tx, notice)
        return await self.notifier.broadcast(notice)

    async def exposition(self, pages: int) -> bytes:
        """Every metric as Prometheus reads it; `pages` is how many are connected."""
        process = scrape.Process(
            watch=self.watcher.watch,
            pages=pages,
            tasks_down=len(self._supervisor.down),
            read_key_usable=self.credentials.usable,
        )
        return await scrape.exposition(self._common, process)

    async def _prepare(self) -> None:
        """Keep the merchant of the environment, and free what a dead process has left."""
        settings, database, now = self.settings, self._common.database, self.clock()
        async with database.transaction() as tx:
            await secrets.lead(tx, self.keyring.fingerprints(), now)
            await enrol_from_environment(tx, settings, now)
            if database.is_embedded:
                await claims.drop_leases(tx, now)

    def _start(self) -> None:
        if isinstance(self.clock, SharedClock):
            self._supervisor.start("clock", self.clock.run)
        self._supervisor.start("watcher", self.watcher.run)
        self._supervisor.start("expiry", self._expiry.run)
        self._common.unread.update(self.sources)
        for source in self.sources:
            self._supervisor.start(f"reconciler_{source}", partial(self.reconciler.run, source))
        self._supervisor.start("hints", self.hints.run)
        for poll in self._polls:
            self._supervisor.start("poll", poll.run)
        self._supervisor.start("payout", self._payout.run)
        self._supervisor.start("leases", self._payout.keep_leases)
        self._supervisor.start("tail", self._tail.run)
        self._supervisor.start("accounts", self._common.accounts.learn)
        if self.settings.blinkpos_read_api_key is not None:
            self._supervisor.start("credentials", self.credentials.run)

    async def _stop(self) -> None:
        """Let the calls that are under way end; what is left is kept for the next start."""
        log.info("waiting for calls under way", at_most_seconds=DRAIN_SECONDS)
        try:
            await self._payout.drain(DRAIN_SECONDS)
        finally:
            await self._supervisor.stop()
        log.info("stopped")


@asynccontextmanager
async def _node(settings: Settings, metrics: Metrics) -> AsyncIterator[PhoenixdClient | None]:
    """The phoenixd node, if one is set up."""
    url, password = settings.phoenixd_host, settings.phoenixd_token
    if url is None or password is None:
        yield None
        return
    async with PhoenixdClient.connect(url, password, metrics.called_phoenixd) as node:
        yield node
