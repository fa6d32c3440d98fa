"""A small world in virtual time: Blink, a node, shops with tills and customers, and the service."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    MutableMapping,
)
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from forwarder import failpoints
from forwarder.model.actor import Actor
from forwarder.model.errors import CallError
from forwarder.model.invoice import Invoice, Order
from forwarder.model.merchant import fingerprint
from forwarder.model.message import Message, Notice
from forwarder.model.source import Source
from forwarder.model.units import Sats
from forwarder.sandbox import Sandbox, SandboxError
from forwarder.sandbox.accounts import Account
from forwarder.sandbox.lateness import QUERIES
from forwarder.sandbox.phoenixd import Phoenixd
from forwarder.settings import Settings
from forwarder.store.vault import Vault
from forwarder.worker import tail
from forwarder.worker.sales import AlreadyPaid
from forwarder.worker.service import Service
from tests.faults import clock, disk, network
from tests.faults.disk import Disk, Files
from tests.faults.life import Gone, Life, enlist
from tests.faults.network import Network

FLOAT: Final = 1_000_000
SECRETS: Final = ("first-secret-0123456789", "second-secret-0123456789", "third-secret-0123456789")
SOON_SECONDS: Final = 60.0  # so long is waited for something that could be done
PATIENCE: Final = 12  # how often a till asks again
# Blink calls again when it gets no answer; a node does not.
WEBHOOK_PAUSES: Final = {Source.BLINK: (0.1, 5.0, 300.0), Source.PHOENIXD: (0.1,)}
PAGE_SECONDS: Final = 0.6  # after so long a page that has lost its connection tries again
# What a till may see while something is broken; it asks again.
EXPECTED: Final = (Gone, CallError, SQLAlchemyError, OSError, asyncio.CancelledError, RuntimeError)

errors: list[dict[str, Any]] = []
"""What was logged as an error in this run, for whoever looks into a failure."""

said: list[str] = []
"""All that was logged, told and answered in this run: no secret may be in it."""


@dataclass
class Shop:
    """A merchant: its account at Blink, its key there, and the token of its tills."""

    name: str
    account: Account
    key: str
    token: str


@dataclass(eq=False)
class Sale:
    """What a till wants to sell. `told` is what its page was told, which is connected to `life`."""

    shop: Shop
    order: Order
    invoice: Invoice | None = None
    told: list[tuple[float, str]] = field(default_factory=list)
    life: Life | None = None
    connect_at: float = 0.0

    async def tell(self, message: Message) -> None:
        """As a connected page: each message is shown once."""
        said.append(str(message.body))
        kind = str(message.body["type"])
        if kind not in [known for _, known in self.told]:
            self.told.append((asyncio.get_running_loop().time(), kind))

    async def tell_watch(self, state: str, now: datetime) -> None: ...

    async def tell_notice(self, notice: Notice) -> None: ...

    def when(self, kind: str) -> float | None:
        """When the page was told."""
        return next((at for at, known in self.told if known == kind), None)


class World:
    """Everything in one run. Whoever holds it says what happens; the rest happens by itself."""

    def __init__(self, files: Files, seed: int, shops: int, *, has_node: bool) -> None:
        self.files = files
        self.random = random.Random(seed)  # noqa: S311 - replayable on purpose
        self.sandbox = Sandbox(clock=clock.now, seed=seed)
        self.node = Phoenixd(self.sandbox, FLOAT)
        # The node is always there; the service may not have been told of it.
        self.sources = list(Source) if has_node else [Source.BLINK]
        self.pos = self.sandbox.open_account("blinkpos", sats=FLOAT)
        self.pos_key = self.sandbox.create_key(self.pos)
        self.shops = [self._open(number) for number in range(shops)]
        self.stranger = self.sandbox.open_account("stranger", sats=FLOAT)
        self.network = Network.current = Network(self.sandbox, self.node, self.pos.id)
        self.off = timedelta()
        self.has_webhook = False
        self.secrets = list(SECRETS[:1])
        self.life: Life | None = None
        self.sales: list[Sale] = []
        self.restored_at: list[datetime] = []
        self.moved: list[Shop] = []
        self.blocked_until = 0.0
        # Entries that no sale explains, and by how much each makes ledger and books differ.
        self.strange: dict[str, int] = {}
        self._guard: asyncio.Task[None] | None = None
        self.sandbox.limit_handshakes(10)

    def _open(self, number: int) -> Shop:
        account = self.sandbox.open_account(f"shop{number}")
        return Shop(f"shop{number}", account, self.sandbox.create_key(account), f"token-{number}")

    @property
    def restored(self) -> bool:
        """Whether the database is not the one of the beginning."""
        return bool(self.restored_at)

    @property
    def other_source(self) -> Source:
        """The node, if the service has one; otherwise Blink."""
        return self.sources[-1]

    @property
    def faults_have_fired(self) -> bool:
        """Whether an armed fault has struck, at Blink or at the node."""
        return bool(self.sandbox.faults.fired or self.node.faults.fired)

    def canaries(self) -> Iterator[str]:
        """What nobody but its owner may ever read."""
        yield from SECRETS
        yield self.pos_key
        yield self.node.password
        for shop in [*self.shops, *self.moved]:
            yield from (shop.key, shop.token)

    # The service

    def now(self) -> datetime:
        """The time as the service has it."""
        return clock.now() + self.off

    def settings(self) -> Settings:
        """The environment of the next start."""
        changed = {
            "blinkpos_api_key": SecretStr(self.pos_key),
            "merchant_name": self.shops[0].name,
            "merchant_api_key": SecretStr(self.shops[0].key),
            "pos_token": SecretStr(self.shops[0].token),
            "forwarder_secret_key": SecretStr(" ".join(reversed(self.secrets))),
            "database_url": self.files.url,
        }
        if Source.PHOENIXD in self.sources:
            changed |= {
                "phoenixd_host": "http://node.test",
                "phoenixd_token": SecretStr(self.node.password),
            }
        return _environment().model_copy(update=changed)

    async def begin(self) -> None:
        """Start the service, and have it started again whenever it has ended."""
        self._guard = asyncio.create_task(self._keep_alive(), name="systemd")
        await self.serving()

    async def serving(self) -> Life:
        """The service, as soon as there is one."""
        while self.life is None or not self.life.is_serving:
            await asyncio.sleep(0.05)
        return self.life

    async def rest(self) -> None:
        """Stop the service in order, for good."""
        if self._guard is not None:
            self._guard.cancel()
            await asyncio.gather(self._guard, return_exceptions=True)
            self._guard = None
        if self.life is not None:
            self.life.stop()
            await self.life.ended()
            self.life = None

    async def _keep_alive(self) -> None:
        while True:
            self.life = Life(self.settings(), self.now)
            await self.life.ended()
            await asyncio.sleep(self.random.uniform(0.1, 2.0))

    async def _keep_pages(self) -> None:
        """Each page connects again when its connection has ended with a life."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PAGE_SECONDS)
            for sale in self.sales:
                if sale.invoice and sale.life is not self.life and sale.connect_at <= loop.time():
                    # A till's own names are lost with a database: its pages ask seldom then.
                    sale.connect_at = loop.time() + (20 if self.restored else PAGE_SECONDS)
                    await self._connect(sale)

    async def _connect(self, sale: Sale) -> None:
        life = self.life
        if life is not None and life.is_serving:
            with suppress(*EXPECTED):
                await life.ask(lambda service: _connect(service, sale))
                sale.life = life

    def enrol(self) -> None:
        """Add the other shops to a database that nobody uses yet."""
        for shop in self.shops[1:]:
            vault = Vault(self.settings().keyring())
            self.files.insert(
                "merchants",
                name=shop.name,
                sealed_api_key=vault.seal(shop.name, SecretStr(shop.key)),
                token_fingerprint=fingerprint(shop.token),
                enabled=True,
                created_at=str(clock.BEGINNING.replace(tzinfo=None)),
            )

    async def ask(self, question: Callable[[Service], Awaitable[Any]]) -> Any:  # noqa: ANN401
        """Have something done in the service. Raises `Gone` if there is none, or if it dies."""
        if self.life is None:
            raise Gone
        return await self.life.ask(question)

    async def insist(self, question: Callable[[Service], Awaitable[Any]]) -> Any:  # noqa: ANN401
        """Ask until there is an answer, or patience ends; then None."""
        for _ in range(PATIENCE):
            try:
                return await self.ask(question)
            except EXPECTED as exc:
                said.append(f"{exc}: {exc.__cause__}")
            await asyncio.sleep(self.random.uniform(0.3, 3.0))
        return None

    # Tills and customers

    async def sell(
        self,
        shop: Shop,
        sats: int,
        seconds: int = 900,
        memo: str = "",
        source: Source = Source.BLINK,
    ) -> Sale:
        """A till asks for an invoice, until it has one or gives up."""
        name = f"{shop.name}-{len(self.sales)}"
        sale = Sale(shop, Order(name, Sats(sats), memo, seconds, source))
        self.sales.append(sale)
        sale.invoice = await self.insist(lambda service: _create(service, sale))
        return sale

    async def pay(self, sale: Sale, extra: int = 0) -> bool:
        """A customer pays, if it is taken."""
        if sale.invoice is None:
            return False
        try:
            await self._pay(sale.invoice, sale.order.amount + extra)
        except SandboxError:
            return False
        if self.has_webhook:
            self.network.spawn(self._call_webhook(sale.invoice))
        return True

    async def _pay(self, invoice: Invoice, sats: int) -> None:
        if invoice.source is Source.BLINK:
            await self.sandbox.pay(invoice.payment_request, sats)
        else:
            self.node.pay(invoice.payment_request, sats)

    async def _call_webhook(self, invoice: Invoice) -> None:
        for pause in WEBHOOK_PAUSES[invoice.source]:
            await asyncio.sleep(pause)
            with suppress(*EXPECTED):
                await self.ask(lambda service: _hint(service, invoice))
                return

    async def pay_anyway(self, sale: Sale) -> bool:
        """Somebody pays what has ended: a user of Blink, if there is a description, or anybody."""
        if sale.invoice is None:
            return False
        if sale.invoice.source is not Source.BLINK:
            return await self.pay(sale)  # a node takes late money
        try:
            await self.sandbox.pay_from(self.stranger, sale.invoice.payment_request)
        except SandboxError:
            return False
        return True

    async def cancel(self, sale: Sale) -> None:
        """A till gives a sale up."""
        if sale.invoice is not None:
            with suppress(AlreadyPaid, *EXPECTED):
                await self.ask(lambda service: _cancel(service, sale))

    async def replay(self) -> None:
        """An operator has everything tried again that is held."""
        await self.insist(lambda service: service.desk.replay_all(Actor.HTTP))

    async def reconcile(self) -> Any:  # noqa: ANN401
        """An operator has the ledgers read now."""
        return await self.insist(lambda service: service.reconciler.reconcile())

    async def recover(self) -> Any:  # noqa: ANN401
        """An operator has the whole ledgers read."""
        return await self.insist(lambda service: service.reconciler.recover())

    # Faults

    def kill(self) -> None:
        """SIGKILL, wherever the service is."""
        if self.life is not None and not self.life.is_dead:
            self.life.die()

    def crash_at(self, point: str) -> None:
        """The next life that passes this point dies there."""

        async def crash() -> None:
            failpoints.disarm(point)
            self.network.hooks.pop(point, None)
            if self.life is not None and not self.life.is_dead:
                await self.life.crash()

        if point in failpoints.POINTS:
            failpoints.arm(point, crash)
        else:
            self.network.hooks[point] = crash

    async def refund(self) -> bool:
        """What was sent last comes back, as a receipt that carries our outgoing hash."""
        sends = self.sandbox.sends(self.pos.btc_wallet_id)
        if sends:
            await self.sandbox.refund(sends[0].id)
        return bool(sends)

    async def soon(self, deed: Callable[[], Awaitable[bool]]) -> None:
        """As soon as something can be done, or a little later; it says whether it was."""
        until = asyncio.get_running_loop().time() + SOON_SECONDS
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(self.random.choice((0.02, 0.2, 2.0)))
            if await deed():
                return

    def block(self, account: Account) -> None:
        """Somebody else makes one invoice too many on an account: Blink makes no more for 300 s."""
        limit = self.sandbox.bank.invoices.own_limit
        while limit.allows(account.id, clock.now()):
            pass
        self.blocked_until = asyncio.get_running_loop().time() + limit.block.total_seconds()

    def move_shop(self) -> None:
        """Give the first shop another account at Blink; it takes effect at the next start."""
        account = self.sandbox.open_account(f"{self.shops[0].name}-{len(self.moved)}")
        self.moved.append(self.shops[0])
        self.shops[0] = replace(
            self.shops[0], account=account, key=self.sandbox.create_key(account)
        )

    def rotate(self) -> None:
        """Give the next life a new secret beside those that were used before."""
        self.secrets = list(SECRETS[: len(self.secrets) + 1])

    async def restore(self) -> None:
        """Put an older copy of the database in its place, with the service stopped."""
        await self._exchange_disk(self.files.restore)

    async def lose_database(self) -> None:
        """Lose the database and begin with an empty one."""
        await self._exchange_disk(self.renew_database)

    def renew_database(self) -> None:
        """An empty database, but for the shops."""
        self.files.renew()
        self.enrol()

    async def _exchange_disk(self, exchange: Callable[[], None]) -> None:
        await self.rest()
        exchange()
        self.restored_at.append(clock.now())
        await self.begin()

    async def calm(self) -> None:
        """Every fault is over, and the service runs."""
        failpoints.disarm()
        self.network.hooks.clear()
        self.network.down.clear()
        self.sandbox.faults.clear()
        self.node.faults.clear()
        self.sandbox.revoke_key(self.pos_key, revoked=False)
        for shop in self.shops:
            self.sandbox.disable_receive(shop.account, disabled=False)
            self.sandbox.revoke_key(shop.key, revoked=False)
        self.sandbox.limit_account(self.pos, None)
        self.sandbox.api.latencies.clear()
        for query in QUERIES:
            self.sandbox.delay_sends(query, 0)
        Disk.trouble = None
        self.off = timedelta()
        if self._guard is None:
            await self.begin()
        await self.serving()
        await asyncio.sleep(max(0, self.blocked_until - asyncio.get_running_loop().time()))
        for sale in self.sales:
            sale.connect_at = 0.0  # a page that asks seldom asks once more before it is judged


@cache
def _environment() -> Settings:
    """What is the same at each start; to read it takes longer than all the rest of a start."""
    return Settings(
        blink_api_url="https://blink.test/graphql",
        blink_ws_url="wss://blink.test/graphql",
        reconcile_interval_seconds=120,
    )


async def _create(service: Service, sale: Sale) -> Invoice:
    merchant = await service.sales.merchant_of(sale.shop.token)
    if merchant is None:
        raise Gone  # a till whose shop was just forgotten, until it is enrolled again
    return await service.sales.create(merchant, sale.order)


async def _hint(service: Service, invoice: Invoice) -> None:
    await service.hints.keep(invoice.source, invoice.payment_hash)


async def _connect(service: Service, sale: Sale) -> None:
    """A page identifies its invoice: it joins first, and then reads what has happened."""
    merchant = await service.sales.merchant_of(sale.shop.token)
    found = merchant and await service.sales.find(merchant, sale.order.external_id)
    if not found:
        raise Gone
    service.notifier.join(found.id, sale)
    for message in await service.sales.messages(found.id):
        await sale.tell(message)


async def _cancel(service: Service, sale: Sale) -> None:
    merchant = await service.sales.merchant_of(sale.shop.token)
    found = merchant and await service.sales.find(merchant, sale.order.external_id)
    if found:
        await service.sales.cancel(found)


def _collect(_: object, level: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    said.append(str(event))
    if level in ("error", "critical"):
        errors.append(dict(event))
    raise structlog.DropEvent


@contextmanager
def stage() -> Iterator[None]:
    """Replace sockets, threads and the log with what a world needs, and put them back."""
    with pytest.MonkeyPatch.context() as patch:
        disk.replace(patch)
        network.replace(patch)
        patch.setattr(tail, "POLL_SECONDS", 30.0)  # nobody else writes here
        kept = structlog.get_config()
        logging.disable()  # what SQLAlchemy's pool says of a life that has died
        structlog.configure(
            processors=[structlog.processors.format_exc_info, _collect],
            wrapper_class=structlog.make_filtering_bound_logger("debug"),
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            structlog.configure(**kept)
            logging.disable(logging.NOTSET)


@asynccontextmanager
async def opened(
    files: Files, seed: int, shops: int = 1, *, has_node: bool = False
) -> AsyncIterator[World]:
    """A world that has just begun, until the end of the block."""
    loop = asyncio.get_running_loop()
    enlist(loop)
    loop.set_exception_handler(lambda _, context: errors.append(context))
    errors.clear()
    said.clear()
    files.forget_backup()
    failpoints.disarm()
    Disk.trouble = None
    world = World(files, seed, shops, has_node=has_node)
    world.renew_database()
    world.network.spawn(_start(world.sandbox))
    pages = asyncio.create_task(world._keep_pages(), name="pages")
    await world.begin()
    try:
        yield world
    finally:
        failpoints.disarm()
        Disk.trouble = None
        pages.cancel()
        world.kill()
        with suppress(AssertionError):
            await world.rest()
        await world.sandbox.stop()


async def _start(sandbox: Sandbox) -> None:
    sandbox.start()
