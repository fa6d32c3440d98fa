"""A day at the till during which the service is killed again and again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Literal

import aiohttp

from forwarder.sandbox import Fault, Sandbox
from forwarder.sandbox.accounts import Account
from tests.kill.child import Child
from tests.kill.ledger import Verdict, WatchedLocks, judge
from tests.kill.shop import Pace, Sale, Shop

FLOAT: Final = 1_000_000
SHOPS: Final = 3
# Together with what kills make the tills ask again for, this stays below Blink's sixty.
SALES_PER_MINUTE: Final = 50
PAUSE: Final = (0.2, 3.0)
FINAL_SECONDS: Final = 60.0
PAGE_SECONDS: Final = 2.0
SECRET_KEY: Final = "canary-secret-key-4444-0123456789abcdef"
OPERATOR_TOKEN: Final = "canary-operator-token-4343"

FAULTS: Final = (
    Fault("lnInvoicePaymentSend", "lost_answer", times=None, probability=0.15),
    Fault("lnInvoicePaymentSend", "failure_after_commit", times=None, probability=0.1 / 0.85),
    Fault("event", "drop", times=None, probability=0.2),
    Fault("event", "duplicate", times=None, probability=0.2 / 0.8, copies=2),
)
LATENCIES: Final = {"lnInvoiceCreate": 0.08, "lnInvoicePaymentSend": 0.12, "me": 0.04}

When = Literal["starting", "running", "creating", "sending"]
SIGHTS: Final[dict[When, str]] = {
    "creating": "lnInvoiceCreate",
    "sending": "lnInvoicePaymentSend",
}
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Kill:
    """When to kill: so long after the start, or after the first call of a kind is seen."""

    when: When
    seconds: float

    def __str__(self) -> str:
        return f"{self.when}+{self.seconds:.2f}s"


def plan(random: Random, kills: int) -> Iterator[Kill]:
    """Moments to kill at: some before the process is up, most while money is on its way."""
    for _ in range(kills):
        when: When = random.choice(("starting", "running", "creating", "sending", "sending"))
        longest = {"starting": 1.2, "running": 1.5}.get(when, 0.25)
        yield Kill(when, random.uniform(0.2 if when == "starting" else 0.0, longest))


@dataclass
class Outcome:
    """What came of a run."""

    seed: int
    kills: list[str] = field(default_factory=list)
    faults: int = 0
    settled_seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)


class Campaign:
    """Blink, a few shops, and the one process that serves them."""

    def __init__(
        self, blink: Sandbox, folder: Path, seed: int, report: Report, database_url: str = ""
    ) -> None:
        self.blink = blink
        self.random = Random(seed)  # noqa: S311 - replayable on purpose
        self.outcome = Outcome(seed)
        self.report = report
        self.folder = folder
        self.pos: Account = blink.open_account("blinkpos", sats=FLOAT)
        self.locks = WatchedLocks(blink.bank.payments.locks)
        blink.bank.payments.locks = self.locks
        self.accounts = [blink.open_account(f"merchant-{n}") for n in range(SHOPS)]
        self.keys = [blink.create_key(account) for account in self.accounts]
        self.tokens = [f"canary-pos-token-{n}" for n in range(SHOPS)]
        self.pos_key = blink.create_key(self.pos)
        self.database_url = database_url or f"sqlite+aiosqlite:///{folder}/forwarder.db"
        self.shops: list[Shop] = []
        self._killed_at = 0.0

    def child(self, program: tuple[str, ...] | None = None, name: str = "one") -> Child:
        """A process that is not started yet."""
        folder = self.folder / name
        folder.mkdir()
        child = Child(self._environment(), folder)
        child.program = program or child.program
        return child

    async def enrol(self, child: Child) -> None:
        """Give the service its other merchants; the first one is in the environment."""
        for n in range(1, SHOPS):
            more = {"NEW_MERCHANT_API_KEY": self.keys[n], "NEW_POS_TOKEN": self.tokens[n]}
            await child.command("merchants", "add", f"merchant-{n}", **more)

    def open_shops(self, session: Callable[[], aiohttp.ClientSession]) -> list[Shop]:
        """The shops, closed still."""
        pace = Pace(SALES_PER_MINUTE)
        self.shops = [
            Shop(account.username, account, token, session, self.blink, self.random, pace)
            for account, token in zip(self.accounts, self.tokens, strict=True)
        ]
        return self.shops

    def break_things(self) -> None:
        """Let things go wrong at Blink from now on."""
        for operation, seconds in LATENCIES.items():
            self.blink.set_latency(operation, seconds)
        for fault in FAULTS:
            self.blink.faults.add(fault)

    def mend_things(self) -> None:
        """Let nothing go wrong any more."""
        self.outcome.faults = len(self.blink.faults.fired)
        self.blink.faults.clear()

    async def kill(self, child: Child, kill: Kill) -> None:
        """Start the process, kill it at a moment, and leave it dead."""
        starting = child.begin()
        if kill.when != "starting":
            await starting
        if kill.when in SIGHTS:
            await self.see(SIGHTS[kill.when])
        await asyncio.sleep(kill.seconds)
        assert not child.has_died_by_itself(), child.output.decode()
        await child.kill()
        self.note(str(kill))

    def note(self, kill: str) -> None:
        """Keep that something was killed just now."""
        self.outcome.kills.append(kill)
        self._killed_at = asyncio.get_running_loop().time()

    async def see(self, operation: str, seconds: float = 3.0) -> None:
        """Wait until Blink is asked for something, but not for ever: there may be nothing to do."""
        calls, deadline = len(self.blink.calls), asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            if any(call.operation == operation for call in self.blink.calls[calls:]):
                return
            await asyncio.sleep(0.005)

    async def settle(self, seconds: float = FINAL_SECONDS) -> None:
        """Wait until every sale is at its end, and its screen knows: soon after the last kill."""
        try:
            async with asyncio.timeout_at(self._killed_at + seconds):
                for sale in self.sales:
                    await self._until_final(sale)
        except TimeoutError:
            late = [sale.payment_hash for sale in self.sales if not _is_over(sale)]
            self.outcome.verdict.wrong.append(f"not final after {seconds} s: {late}")
        self.outcome.settled_seconds = asyncio.get_running_loop().time() - self._killed_at

    async def _until_final(self, sale: Sale) -> None:
        while not _is_over(sale):
            await asyncio.sleep(0.05)

    @property
    def sales(self) -> list[Sale]:
        """All sales of all shops."""
        return [sale for shop in self.shops for sale in shop.sales]

    async def look(self) -> None:
        """Compare what everybody is shown with what was paid, and end what nobody has paid."""
        for shop in self.shops:
            for sale in shop.sales:
                shown = (await shop.till.snapshot(sale.answer))["status"]
                wanted = "forwarded" if sale.paid else "pending"
                self._claim(shown == wanted, f"{sale.payment_hash} is shown as {shown}")
                await self._look_late(shop, sale)
                if not sale.paid:
                    path = f"/api/invoice/{sale.answer['externalId']}"
                    status, _ = await shop.till.call("DELETE", path)
                    self._claim(status == 200, f"cancelling was answered with {status}")

    async def _look_late(self, shop: Shop, sale: Sale) -> None:
        """A page that connects only now learns all that has happened."""
        if sale.paid:
            async with shop.till.page(sale.answer) as page:
                await page.until("forwarded", seconds=PAGE_SECONDS)

    async def compare_figures(self) -> None:
        """The service's own figures, which an operator sees, have to be Blink's."""
        status, found = await self.shops[0].till.call("GET", "/api/status", token=OPERATOR_TOKEN)
        assert status == 200, found
        received = sum(sale.paid for sale in self.sales)
        shown = found["sats"]
        wanted = {"received": received, "forwarded": received, "held": 0, "outstanding": 0}
        wanted["refunded"] = 0
        self._claim(shown == wanted, f"the status shows {shown} and not {wanted}")

    def judge(self) -> Outcome:
        """The verdict by Blink's ledger."""
        before, outcome = self.outcome.verdict.wrong, self.outcome
        outcome.verdict = judge(self.blink, self.pos, self.shops, SECRET_KEY, self.locks)
        outcome.verdict.wrong[:0] = before
        return outcome

    def search(self, child: Child) -> None:
        """Nothing secret, and nothing unexpected, stands in what the process has written."""
        secrets = (self.pos_key, *self.keys, *self.tokens, OPERATOR_TOKEN, SECRET_KEY)
        shown = [secret for secret in secrets if secret.encode() in child.output]
        self._claim(not shown, f"{len(shown)} secrets stand in the log")
        log = child.output.decode()
        at = log.find("Traceback")
        self._claim(at < 0, f"an exception was not expected: {log[max(at, 0) :][:3000]}")

    def compare_proofs(self, path: Path) -> None:
        """Every forwarded row carries the id of a SEND that Blink has."""
        query = "SELECT transaction_id FROM forwards WHERE state = 'forwarded'"
        connection = sqlite3.connect(path)
        rows = {row[0] for row in connection.execute(query)}
        connection.close()
        sends = {send.id for send in self.blink.sends(self.pos.btc_wallet_id)}
        self._claim(rows == sends, "the forwarded rows are not Blink's SENDs")

    def _claim(self, holds: bool, otherwise: str) -> None:
        self.outcome.verdict.claim(holds, otherwise)

    def _environment(self) -> dict[str, str]:
        return {
            "BLINK_API_URL": self.blink.api_url,
            "BLINK_WS_URL": self.blink.ws_url,
            "BLINKPOS_API_KEY": self.pos_key,
            "MERCHANT_NAME": "merchant-0",
            "MERCHANT_API_KEY": self.keys[0],
            "POS_TOKEN": self.tokens[0],
            "OPERATOR_TOKEN": OPERATOR_TOKEN,
            "FORWARDER_SECRET_KEY": SECRET_KEY,
            "DATABASE_URL": self.database_url,
            "RECONCILE_INTERVAL_SECONDS": "5",
            "RETRY_MAX_SECONDS": "5",
            "LOG_FORMAT": "json",
        }


def _is_over(sale: Sale) -> bool:
    return not sale.paid or "forwarded" in sale.told


@asynccontextmanager
async def trading(shops: list[Shop]) -> AsyncIterator[None]:
    """The shops are open; afterwards the last customers have paid."""
    tills = [asyncio.create_task(shop.trade(PAUSE)) for shop in shops]
    try:
        yield
    finally:
        for shop in shops:
            await shop.close()
        await asyncio.gather(*tills)


async def run(folder: Path, seed: int, kills: int, report: Report) -> Outcome:
    """Kill the one process `kills` times while it sells, and judge the day."""
    async with AsyncExitStack() as stack:
        blink = await stack.enter_async_context(Sandbox.serve(seed=seed))
        campaign = Campaign(blink, folder, seed, report)
        child = campaign.child()
        timeout = aiohttp.ClientTimeout(total=60)
        session = aiohttp.ClientSession(child.url, timeout=timeout)
        await stack.enter_async_context(session)
        await campaign.enrol(child)
        shops = campaign.open_shops(lambda: session)
        campaign.break_things()
        async with trading(shops):
            for n, kill in enumerate(plan(campaign.random, kills), start=1):
                await campaign.kill(child, kill)
                report(f"kill {n}/{kills} {kill}, {len(campaign.sales)} sales")
        campaign.mend_things()
        await child.start()
        await asyncio.sleep(3.5)  # the last customers are slow
        await _close(campaign, child)
        campaign.compare_proofs(folder / "forwarder.db")
        return campaign.judge()


async def _close(campaign: Campaign, child: Child) -> None:
    await campaign.settle()
    await campaign.look()
    await campaign.compare_figures()
    for shop in campaign.shops:
        await shop.leave()
    status = await child.stop()
    campaign.outcome.verdict.claim(status == 0, f"SIGTERM was answered with status {status}")
    campaign.search(child)
