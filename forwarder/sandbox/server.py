"""The sandbox: a local Blink on one port, and the handles that tests pull."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Self

from aiohttp import web

from forwarder.sandbox import bank as banks
from forwarder.sandbox import bills, control, transactions
from forwarder.sandbox.accounts import Account, AccountStatus, parse_scopes
from forwarder.sandbox.api import Api, Call
from forwarder.sandbox.bank import Bank, Clock
from forwarder.sandbox.bolt11 import Network
from forwarder.sandbox.callbacks import Delivery, Endpoint
from forwarder.sandbox.errors import Refusal, SandboxError
from forwarder.sandbox.faults import Faults
from forwarder.sandbox.http import HttpSide
from forwarder.sandbox.invoices import Invoice, InvoiceView
from forwarder.sandbox.lateness import Query
from forwarder.sandbox.payments import Attempt, SendOrder, TransferOrder
from forwarder.sandbox.timing import Timing
from forwarder.sandbox.transactions import TransactionView
from forwarder.sandbox.websocket import WebsocketSide

PATH = "/graphql"
SHUTDOWN_SECONDS = 0.5  # for requests under way when the sandbox closes


def utc_now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """A Blink that is one's own: accounts, money, faults, and a look into the books.

    Dates come from `clock`, waits are asyncio's, and all else that varies comes from `seed`.
    """

    def __init__(
        self,
        network: Network = "regtest",
        clock: Clock = utc_now,
        seed: int | None = None,
        timing: Timing | None = None,
    ) -> None:
        timing = timing or Timing()
        rng = Random(seed)  # noqa: S311  replayable on purpose; it guards nothing
        self.bank: Bank = banks.establish(network, clock, rng, timing)
        self.api = Api(self.bank)
        self._http = HttpSide(self.api, timing)
        self._websocket = WebsocketSide(self.api, timing)
        self._origin = ""

    @classmethod
    @asynccontextmanager
    async def serve(
        cls,
        host: str = "127.0.0.1",
        port: int = 0,
        network: Network = "regtest",
        clock: Clock = utc_now,
        seed: int | None = None,
        timing: Timing | None = None,
    ) -> AsyncIterator[Self]:
        """A sandbox that listens, on any free port unless one is given."""
        sandbox = cls(network, clock, seed, timing)
        runner = web.AppRunner(
            sandbox.application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            sandbox._origin = f"{host}:{runner.addresses[0][1]}"
            sandbox.start()
            yield sandbox
        finally:
            await sandbox.stop()
            await runner.cleanup()

    def start(self) -> None:
        """Let periodic things begin; `serve` does it by itself."""
        self.bank.updates.start()

    def hasten(self) -> None:
        """Let what is under way end now; on a node beside it too."""
        self.bank.timers.hasten()

    async def stop(self) -> None:
        """End what is under way: nothing happens later any more, and nobody stays connected."""
        self.bank.timers.cancel()
        await self.bank.callbacks.stop()
        self._http.closing.set()
        await self._websocket.cut()

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post(PATH, self._http.post)
        app.router.add_get(PATH, self._websocket.upgrade)
        app.add_routes(control.routes(self))
        return app

    # Where it is

    @property
    def api_url(self) -> str:
        return f"http://{self._origin}{PATH}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self._origin}{PATH}"

    @property
    def control_url(self) -> str:
        return f"http://{self._origin}/control"

    # Accounts and keys

    def open_account(self, username: str, sats: int = 0) -> Account:
        """A new account. What it has from the start is in its balance, not in its history."""
        return self.bank.open_account(username, sats)

    def account(self, account_id: str) -> Account:
        if account_id not in self.bank.accounts.by_id:
            raise SandboxError(f"no account {account_id!r}")
        return self.bank.accounts.by_id[account_id]

    def create_key(
        self, account: Account, scopes: Iterable[str] = ("READ", "RECEIVE", "WRITE")
    ) -> str:
        return self.bank.accounts.create_key(account, parse_scopes(scopes)).value

    def revoke_key(self, key: str, revoked: bool = True) -> None:
        """The key is refused from now on; websockets that are open go on."""
        self.bank.accounts.revoke(key, revoked)

    def limit_key(self, key: str, daily_sats: int | None) -> None:
        found = self.bank.accounts.key(key)
        if found is None:
            raise SandboxError("no such API key")
        found.daily_limit = daily_sats

    def limit_account(self, account: Account, daily_cents: int | None) -> None:
        account.spending_limit = daily_cents

    def set_status(self, account: Account, status: AccountStatus) -> None:
        account.status = status

    def disable_receive(self, account: Account, disabled: bool = True) -> None:
        account.receive_disabled = disabled

    def call_back(self, account: Account, url: str, secret: str | None = None) -> Endpoint:
        """Have a webhook of an account sent to `url`, signed with a secret of Svix's form."""
        return self.bank.callbacks.register(account, url, secret)

    # Money that moves

    async def pay(self, payment_request: str, sats: int | None = None) -> TransactionView:
        """A customer outside pays an invoice; the receipt, of which its owner is told."""
        invoice = self._payable(payment_request)
        asked = invoice.terms.sats
        amount = asked if sats is None else sats
        if amount is None or amount <= 0 or (asked is not None and amount < asked):
            raise SandboxError(f"{amount} sats do not pay an invoice of {asked}")
        return self.bank.settlement.receive(invoice, amount)

    async def pay_from(self, account: Account, payment_request: str) -> TransactionView:
        """A user of Blink pays an invoice of another one; the receipt of the latter."""
        invoice = self._invoice(payment_request)
        order = SendOrder(account.btc_wallet_id, payment_request)
        try:
            await self.bank.payments.send(order, Attempt())
        except Refusal as refusal:
            raise SandboxError(refusal.message) from refusal
        return self.bank.statements.received(invoice.payment_hash)

    async def refund(self, transaction_id: str) -> TransactionView:
        """Give a send back: a receipt that carries its payment hash, and that nobody is told of."""
        for wallet_id in self.bank.accounts.wallets:
            for tx in self.sends(wallet_id):
                if tx.id == transaction_id:
                    return self.bank.settlement.refund(tx)
        raise SandboxError(f"no send {transaction_id!r}")

    async def transfer(self, account: Account, to: Account, sats: int) -> TransactionView:
        """Move money without an invoice, as one user of Blink to another; what the payee sees."""
        order = TransferOrder(account.btc_wallet_id, to.btc_wallet_id, sats)
        try:
            await self.bank.payments.transfer(order, Attempt())
        except Refusal as refusal:
            raise SandboxError(refusal.message) from refusal
        return self.receipts(to.btc_wallet_id)[0]

    def outside_invoice(
        self, sats: int | None, memo: str = "", expires_in: timedelta = timedelta(hours=1)
    ) -> str:
        """An invoice of a node that is not Blink's."""
        return self.bank.outside.issue(sats, memo, self.bank.clock(), expires_in)

    # The books

    def balance(self, wallet_id: str) -> int:
        return self.bank.ledger.balance(wallet_id)

    def transactions(self, wallet_id: str) -> list[TransactionView]:
        """Newest first, in order of commit."""
        return self.bank.statements.of_wallet(wallet_id)

    def sends(self, wallet_id: str) -> list[TransactionView]:
        return [tx for tx in self.transactions(wallet_id) if transactions.is_send(tx)]

    def receipts(self, wallet_id: str) -> list[TransactionView]:
        return [tx for tx in self.transactions(wallet_id) if transactions.is_receipt(tx)]

    def invoices(self, wallet_id: str) -> list[InvoiceView]:
        """Newest first."""
        return self.bank.invoices.views(wallet_id)

    def verify(self) -> None:
        """Raise LedgerError unless every journal adds up and nobody is overdrawn."""
        self.bank.ledger.verify()

    # What was asked of it, and what goes wrong

    @property
    def faults(self) -> Faults:
        return self.bank.faults

    @property
    def calls(self) -> list[Call]:
        return self.api.calls

    @property
    def callbacks(self) -> list[Delivery]:
        """Every attempt to deliver a webhook, in order of its end."""
        return self.bank.callbacks.deliveries

    @property
    def websockets(self) -> int:
        return len(self._websocket.sockets)

    @property
    def handshakes(self) -> list[datetime]:
        """Every attempt, those refused included."""
        return self._websocket.handshakes.times

    @property
    def subscriptions(self) -> int:
        return self.bank.updates.count

    def set_latency(self, operation: str, seconds: float) -> None:
        """How long after its execution an operation is answered; `*` is all that have no other.

        A send keeps its wallet locked meanwhile.
        """
        self.api.latencies[operation] = seconds

    def delay_sends(self, query: Query, seconds: float) -> None:
        """How long after it was booked a send is shown to such a query."""
        self.bank.statements.lateness.set(query, seconds)

    def mystify(self, transaction_id: str) -> None:
        """From now on show this entry with a status that no client knows yet."""
        self.api.mysteries.add(transaction_id)

    def limit_handshakes(self, per_minute: int | None) -> None:
        self._websocket.handshakes.per_minute = per_minute

    async def cut_websockets(self) -> None:
        """Drop all websockets without a close frame: clients see 1006."""
        await self._websocket.cut()

    def freeze_websockets(self) -> None:
        """Leave all present websockets half-open: nothing is read or sent any more."""
        self._websocket.freeze()

    def _payable(self, payment_request: str) -> Invoice:
        invoice = self._invoice(payment_request)
        state = invoice.state(self.bank.clock())
        if state != "pending":
            raise SandboxError(f"invoice {invoice.payment_hash} is {state}")
        return invoice

    def _invoice(self, payment_request: str) -> Invoice:
        try:
            invoice = bills.issued(self.bank.invoices, bills.decode(payment_request))
        except Refusal as refusal:
            raise SandboxError(refusal.message) from refusal
        if invoice is None:
            raise SandboxError("not an invoice of Blink's")
        return invoice
