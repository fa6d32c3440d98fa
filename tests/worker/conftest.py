"""The parts of the worker on a local Blink and a SQLite file, with one clock for all of them."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, text, update

from forwarder import failpoints
from forwarder.model.finding import Finding, FindingKind, FindingState
from forwarder.model.forward import Forward, ForwardState
from forwarder.model.invoice import Invoice, InvoiceState, Order
from forwarder.model.keyring import Keyring
from forwarder.model.lease import Lease
from forwarder.model.merchant import Merchant
from forwarder.model.message import Message, Notice
from forwarder.model.payment import Receipt
from forwarder.model.source import Source
from forwarder.model.units import PaymentHash, Sats, WalletId
from forwarder.sandbox import Account, Fault, FaultKind, Sandbox, Timing
from forwarder.settings import Settings
from forwarder.store import claims, findings, forwards, journal, merchants, tables
from forwarder.store.database import Database
from forwarder.store.vault import Vault
from forwarder.worker import invoicing, patience, sending
from forwarder.worker.accounts import Accounts
from forwarder.worker.bell import Bell
from forwarder.worker.catch_up import CatchUp
from forwarder.worker.common import Common
from forwarder.worker.desk import Desk
from forwarder.worker.expiry import Expiry
from forwarder.worker.forwarding import Forwarding
from forwarder.worker.handshakes import Handshakes
from forwarder.worker.intake import Intake
from forwarder.worker.invoicing import Invoicing
from forwarder.worker.moves import Moves
from forwarder.worker.notifier import Notifier
from forwarder.worker.payout import Payout
from forwarder.worker.reconciler import Reconciler
from forwarder.worker.sales import Sales
from forwarder.worker.sending import Sending
from forwarder.worker.subscription import Subscription
from forwarder.worker.watcher import Watcher
from tests.databases import migrate, run_apart

START = datetime(2026, 8, 1, 12, tzinfo=UTC)
TOKEN = "token-of-the-till"
SECRET = "secret-for-tests"
CREATE, PAY, READ = "lnInvoiceCreate", "lnInvoicePaymentSend", "me"


@dataclass
class Clock:
    """The time, for Blink and for the service."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(eq=False)
class Page:
    """A connected page that writes down what it is told."""

    told: list[Message] = field(default_factory=list)
    watch: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    async def tell(self, message: Message) -> None:
        self.told.append(message)

    async def tell_watch(self, state: str, now: datetime) -> None:
        self.watch.append(state)

    async def tell_notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    @property
    def kinds(self) -> list[object]:
        return [message.body["type"] for message in self.told]


async def until(holds: Callable[[], bool | Awaitable[bool]], seconds: float = 5) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while True:
            held = holds()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(work: Callable[[], Awaitable[None]]) -> AsyncIterator[asyncio.Task[None]]:
    """An endless task, for as long as the block lasts."""

    async def run() -> None:
        await work()

    task = asyncio.create_task(run())
    try:
        yield task
    finally:
        while not task.done():
            # Again and again: a library can take a cancellation for a time-out of its own.
            task.cancel()
            await asyncio.wait([task], timeout=1)


async def cut(point: str, work: Awaitable[object]) -> None:
    """Let something die at a failpoint."""

    async def die() -> None:
        raise RuntimeError

    failpoints.arm(point, die)
    with pytest.raises(RuntimeError):
        await work
    failpoints.disarm()


@dataclass
class Worker:
    """One process's side of forwarding, under an owner of its own."""

    shop: Shop
    accounts: Accounts
    moves: Moves = field(init=False)
    invoicing: Invoicing = field(init=False)
    sending: Sending = field(init=False)
    forwarding: Forwarding = field(init=False)
    payout: Payout = field(init=False)

    def __post_init__(self) -> None:
        owner = str(uuid.uuid4())
        common = replace(self.shop.common, accounts=self.accounts, owner=owner)
        self.moves = Moves(common, 60)
        self.invoicing = Invoicing(common, self.moves)
        self.sending = Sending(common, self.moves)
        self.forwarding = Forwarding(self.invoicing, self.sending, self.moves)
        self.payout = Payout(common, self.forwarding, self.moves)

    async def claim(self, late: float = 0) -> list[Forward]:
        """Take what is due, or what will be so much later."""
        lease = self.moves.lease()
        later = timedelta(seconds=late)
        lease = Lease(lease.owner, lease.now + later, lease.until + later, lease.horizon + later)
        async with self.shop.database.transaction() as tx:
            return await claims.claim(tx, lease, 50)

    async def work(self, late: float = 0) -> int:
        """Take what is due as far as it goes; how many there were."""
        claimed = await self.claim(late)
        for forward in claimed:
            await self.forwarding.advance(forward)
        return len(claimed)


@dataclass
class Shop:
    """A point of sale with one merchant, and a look at everything."""

    blink: Sandbox
    pos: Account
    merchant: Account
    pos_key: str
    merchant_key: str
    settings: Settings
    clock: Clock
    database: Database
    keyring: Keyring
    vault: Vault
    accounts: Accounts
    seller: Merchant
    stack: AsyncExitStack
    page: Page = field(default_factory=Page)
    notifier: Notifier = field(default_factory=Notifier)
    common: Common = field(init=False)
    intake: Intake = field(init=False)
    catch_up: CatchUp = field(init=False)
    handshakes: Handshakes = field(init=False)
    watcher: Watcher = field(init=False)
    reconciler: Reconciler = field(init=False)
    expiry: Expiry = field(init=False)
    sales: Sales = field(init=False)
    worker: Worker = field(init=False)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.common = common = Common(
            self.database, self.accounts, self.keyring, self.clock, self.notifier
        )
        self.intake = Intake(common)
        self.catch_up = CatchUp(common, self.intake, Source.BLINK)
        self.handshakes = Handshakes(common)
        key = SecretStr(self.pos_key)
        subscribe = partial(_subscribe, common, self.blink.ws_url, key, self.intake)
        self.watcher = Watcher(common, subscribe, self.catch_up, 0)
        self.reconciler = Reconciler(common, self.intake, 300)
        self.expiry = Expiry(common, [self.catch_up])
        self.sales = self.sales_with(self.accounts)
        self.worker = Worker(self, self.accounts)
        self.desk = Desk(common)

    def sales_with(self, accounts: Accounts) -> Sales:
        """The tills' side, on these accounts."""
        return Sales(replace(self.common, accounts=accounts), self.intake, self.watcher)

    @property
    def payout_bell(self) -> Bell:
        """What wakes the payout."""
        return self.common.bells.payout

    @property
    def watcher_bell(self) -> Bell:
        """What wakes the watcher."""
        return self.common.bells.watcher

    async def accounts_at(self, url: str, vault: Vault | None = None) -> Accounts:
        """Accounts at another Blink, or with other secrets."""
        key, wallet = SecretStr(self.pos_key), WalletId(self.pos.btc_wallet_id)
        opening = Accounts.open(url, key, wallet, self.database, vault or self.vault)
        return await self.stack.enter_async_context(opening)

    async def accounts_of(self, pos: Account) -> Accounts:
        """Accounts with another BlinkPOS."""
        key, wallet = SecretStr(self.blink.create_key(pos)), WalletId(pos.btc_wallet_id)
        opening = Accounts.open(self.blink.api_url, key, wallet, self.database, self.vault)
        return await self.stack.enter_async_context(opening)

    def fault(self, operation: str, kind: FaultKind, **more: Any) -> None:  # noqa: ANN401 - as `Fault` takes it
        """Let something go wrong at Blink."""
        self.blink.faults.add(Fault(operation, kind, **more))

    def merchant_fault(self, operation: str, kind: FaultKind, **more: Any) -> None:  # noqa: ANN401 - as `Fault` takes it
        """Let something go wrong for the merchant's account alone."""
        self.fault(operation, kind, account=self.merchant.id, **more)

    # Sales

    async def sell(self, sats: int = 1_000, seconds: int = 900, name: str = "") -> Invoice:
        """An invoice that the page waits for."""
        order = Order(name or f"order-{len(self.blink.calls)}", Sats(sats), "coffee", seconds)
        invoice = await self.sales.create(self.seller, order)
        self.notifier.join(invoice.id, self.page)
        return invoice

    async def pay(self, invoice: Invoice, sats: int | None = None) -> Receipt:
        """A customer pays; what Blink's ledger says."""
        tx = await self.blink.pay(invoice.payment_request, sats)
        return Receipt(invoice.payment_hash, tx.id, Sats(tx.amount))

    async def queue(self, sats: int = 1_000) -> Invoice:
        """A sale that is paid, and whose forward is queued."""
        invoice = await self.sell(sats)
        await self.pay(invoice)
        await self.catch_up.run()
        return invoice

    # A look

    async def state(self, invoice: Invoice) -> InvoiceState:
        """How an invoice stands."""
        found = await self.sales.by_id(invoice.id)
        assert found is not None
        return found.state

    async def forward(self, invoice: Invoice) -> Forward:
        """The forward of a sale."""
        (found,) = await self.forwards(invoice)
        return found

    async def forwards(self, invoice: Invoice) -> list[Forward]:
        """All forwards of a sale."""
        async with self.database.reading() as tx:
            return await forwards.of_payment(tx, invoice.payment_hash)

    async def findings(self, state: FindingState = FindingState.OPEN) -> list[Finding]:
        """What no person has explained yet."""
        async with self.database.reading() as tx:
            return await findings.listed(tx, state, 0, 100)

    async def found(self) -> list[FindingKind]:
        """Of which kinds that is."""
        return [finding.kind for finding in await self.findings()]

    async def story(self, payment_hash: PaymentHash) -> list[str]:
        """The steps of a payment."""
        async with self.database.reading() as tx:
            return [one.step for one in await journal.story(tx, payment_hash)]

    async def force(self, forward: Forward, **values: object) -> None:
        """Change what is kept of a forward."""
        table = tables.forwards
        async with self.database.transaction() as tx:
            await tx.execute(update(table).where(table.c.id == forward.id).values(values))

    @asynccontextmanager
    async def without(self, table: str) -> AsyncIterator[None]:
        """Let the database fail whenever a table is asked for, until the end of the block."""
        async with self.database.transaction() as tx:
            await tx.execute(text(f"ALTER TABLE {table} RENAME TO lost"))
        yield
        async with self.database.transaction() as tx:
            await tx.execute(text(f"ALTER TABLE lost RENAME TO {table}"))

    async def refuse(self, table: str, when: str) -> None:
        """Let the database refuse to keep such a row."""
        trigger = f"CREATE TRIGGER picky BEFORE INSERT ON {table} WHEN {when} "
        async with self.database.transaction() as tx:
            await tx.execute(text(f"{trigger} BEGIN SELECT RAISE(ABORT, 'picky'); END"))

    async def lose(self) -> None:
        """Lose all that is kept of sales, as with a database that is not there any more."""
        async with self.database.transaction() as tx:
            for table in reversed(tables.metadata.sorted_tables):
                if table.name not in ("merchants", "secrets"):
                    await tx.execute(delete(table))

    def operations(self, account: Account | None = None) -> list[str]:
        """What Blink was asked."""
        return [
            call.operation
            for call in self.blink.calls
            if account is None or call.account_id == account.id
        ]

    @property
    def wallet(self) -> WalletId:
        """The wallet that sells, and pays."""
        return WalletId(self.pos.btc_wallet_id)

    @property
    def sends(self) -> int:
        """How often BlinkPOS has paid."""
        return len(self.blink.sends(self.pos.btc_wallet_id))

    @property
    def earned(self) -> int:
        """What the merchant has."""
        return self.blink.balance(self.merchant.btc_wallet_id)

    async def is_forwarded(self, invoice: Invoice) -> None:
        """The end of every sale: the money is there, once, and the page knows."""
        forward = await self.forward(invoice)
        assert forward.state is ForwardState.FORWARDED, forward
        sent = [it for it in self.blink.sends(self.pos.btc_wallet_id)]
        assert forward.transaction_id in {it.id for it in sent}
        assert self.page.kinds[-1] == "forwarded"
        found = await self.sales.by_id(invoice.id)
        assert found is not None
        assert found.forwarded_at is not None


def _subscribe(common: Common, url: str, key: SecretStr, intake: Intake, bell: Bell) -> Any:  # noqa: ANN401
    return Subscription.open(common, url, key, intake, bell)


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """What one test does at a failpoint, no other does."""
    yield
    failpoints.disarm()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that is up to date, to copy from."""
    path = tmp_path_factory.mktemp("worker") / "forwarder.db"
    run_apart(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
async def shop(tmp_path: Path, migrated: Path) -> AsyncIterator[Shop]:
    """A point of sale whose parts a test puts to work one by one."""
    clock = Clock()
    path = shutil.copy(migrated, tmp_path / "forwarder.db")
    keyring = Keyring((SecretStr(SECRET),))
    vault = Vault(keyring)
    timing = Timing(lock_pause=0.01, lock_jitter=0.003)
    async with AsyncExitStack() as stack:
        blink = await stack.enter_async_context(Sandbox.serve(clock=clock, seed=1, timing=timing))
        pos, merchant = blink.open_account("blinkpos", sats=1_000_000), None
        merchant = blink.open_account("merchant")
        keys = blink.create_key(pos), blink.create_key(merchant)
        settings = Settings(
            blink_api_url=blink.api_url,
            blink_ws_url=blink.ws_url,
            blinkpos_api_key=SecretStr(keys[0]),
            forwarder_secret_key=SecretStr(SECRET),
            database_url=f"sqlite+aiosqlite:///{path}",
        )
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        async with database.transaction() as tx:
            seller = await merchants.put(
                tx,
                vault,
                name="merchant",
                api_key=SecretStr(keys[1]),
                token=SecretStr(TOKEN),
                wallet_id=WalletId(merchant.btc_wallet_id),
                now=clock(),
            )
        accounts = await stack.enter_async_context(
            Accounts.open(blink.api_url, SecretStr(keys[0]), None, database, vault)
        )
        yield Shop(
            blink,
            pos,
            merchant,
            *keys,
            settings,
            clock,
            database,
            keyring,
            vault,
            accounts,
            seller,
            stack,
        )
        blink.verify()


@pytest.fixture
def one_clock(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock that never jumps go with the other one."""
    for module in (invoicing, patience, sending):
        monkeypatch.setattr(module, "monotonic", lambda: shop.clock().timestamp())
