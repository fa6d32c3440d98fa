"""Blink's HTTP side: one client for each API key, every call with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from gql import Client
from gql.client import AsyncClientSession
from gql.transport.aiohttp import AIOHTTPTransport
from pydantic import SecretStr, TypeAdapter

from forwarder.blink import documents, replies
from forwarder.blink.documents import Operation
from forwarder.blink.errors import BlinkError, Refused, Unknown, translate, without
from forwarder.blink.lists import Connection
from forwarder.blink.replies import ListedInvoice, Transaction
from forwarder.bounds import BoundedResponse
from forwarder.model.calls import Observer, outcome_of, unobserved
from forwarder.model.invoice import Issued
from forwarder.model.ledger import Entry, LedgerPage, Paid, Underway
from forwarder.model.refusal import Refusal
from forwarder.model.units import PaymentHash, Sats, WalletId

PAGE: Final = 100  # the most that Blink gives at once

Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True)
class Call(Generic[Shape]):
    """An operation, how long its answer may take, and what lies where in it."""

    operation: Operation
    seconds: float
    path: tuple[str, ...]
    shape: TypeAdapter[Shape]


_NO_REDIRECTS: Final = {"allow_redirects": False}
_ACCOUNT = ("me", "defaultAccount")
_CREATE = Call(documents.CREATE_INVOICE, 15, ("lnInvoiceCreate",), TypeAdapter(replies.CreateReply))
_CANCEL = Call(documents.CANCEL_INVOICE, 10, ("lnInvoiceCancel",), TypeAdapter(replies.CancelReply))
# A send waits up to 8 s for the lock of its wallet before it begins.
_PAY = Call(documents.PAY_INVOICE, 20, ("lnInvoicePaymentSend",), TypeAdapter(replies.PayReply))
_ENTRIES_OF_HASH = Call(
    documents.ENTRIES_OF_HASH,
    10,
    (*_ACCOUNT, "walletById", "transactionsByPaymentHash"),
    TypeAdapter(list[Transaction]),
)
_ENTRIES = Call(documents.ENTRIES, 10, (*_ACCOUNT, "transactions"), TypeAdapter(Connection))
_INVOICE = Call(
    documents.INVOICE,
    10,
    (*_ACCOUNT, "walletById", "invoiceByPaymentHash"),
    TypeAdapter(ListedInvoice),
)
_INVOICES = Call(documents.INVOICES, 10, (*_ACCOUNT, "invoices"), TypeAdapter(Connection))
_WALLETS = Call(documents.WALLETS, 10, (*_ACCOUNT, "wallets"), TypeAdapter(list[replies.Wallet]))
_CREDENTIALS = Call(documents.CREDENTIALS, 10, (), TypeAdapter(replies.CredentialsReply))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What Blink says of an API key."""

    scopes: Sequence[str]
    network: str
    wallets: Sequence[replies.Wallet]


class BlinkClient:
    """The account behind one API key. Every method raises `NeverSent`, `Refused` or `Unknown`."""

    def __init__(
        self, session: AsyncClientSession, api_key: SecretStr, observe: Observer = unobserved
    ) -> None:
        self._session = session
        self._api_key = api_key
        self._observe = observe

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, api_key: SecretStr, observe: Observer = unobserved
    ) -> AsyncIterator[BlinkClient]:
        """A client for as long as it is needed; `observe` hears of each call."""
        headers = {"X-API-KEY": api_key.get_secret_value()}
        bounds = {"response_class": BoundedResponse}
        transport = AIOHTTPTransport(url, headers=headers, client_session_args=bounds)
        # Each call has its own deadline; gql's would end a payment with no say in what it proves.
        async with Client(transport=transport, execute_timeout=None) as session:
            yield cls(session, api_key, observe)

    async def create_invoice(
        self, wallet_id: WalletId, amount: Sats, memo: str, minutes: int, external_id: str
    ) -> Issued:
        """Make an invoice. Blink refuses an `external_id` that the account has used before."""
        wanted = {
            "walletId": wallet_id,
            "amount": amount,
            "expiresIn": minutes,
            "externalId": external_id,
        }
        described = {"memo": memo} if memo else {}
        reply = await self._call(_CREATE, input=wanted | described)
        if reply.errors:
            raise Refused(reply.errors[0].refusal())
        if reply.invoice is None:
            raise Unknown("Blink answered with neither an invoice nor an error")
        made = reply.invoice
        return Issued(PaymentHash(made.payment_hash), made.payment_request, made.created_at)

    async def cancel_invoice(self, wallet_id: WalletId, payment_hash: PaymentHash) -> None:
        """Cancel an invoice. `Refused` if it is paid, expired, held or cancelled already."""
        reply = await self._call(
            _CANCEL, input={"walletId": wallet_id, "paymentHash": payment_hash}
        )
        if reply.errors:
            raise Refused(reply.errors[0].refusal())
        if not reply.success:
            raise Unknown("Blink did not say whether the invoice was cancelled")

    async def pay_invoice(
        self, wallet_id: WalletId, payment_request: str
    ) -> Paid | Underway | Refusal:
        """Pay an invoice. Only `Paid` proves anything: a refusal may come after the money moved."""
        reply = await self._call(
            _PAY, input={"walletId": wallet_id, "paymentRequest": payment_request}
        )
        return reply.outcome()

    async def entries_of(self, wallet_id: WalletId, payment_hash: PaymentHash) -> list[Entry]:
        """All entries of a wallet that carry this payment hash."""
        found = await self._call(_ENTRIES_OF_HASH, walletId=wallet_id, paymentHash=payment_hash)
        return _entries(found)

    async def entries_since(
        self, wallet_id: WalletId, since: datetime, *, whole: bool = False
    ) -> AsyncIterator[LedgerPage]:
        """The entries of a wallet from `since` on by Blink's clock, in pages, newest first.

        An entry that is not understood is set aside, unless they are to prove something as a
        `whole`: then it raises `Unknown`.
        """
        async for page, after in self._pages(_ENTRIES, wallet_id, None):
            transactions, unreadable = page.entries(whole=whole)
            recent = [one for one in transactions if one.created_at >= since]
            yield LedgerPage(_entries(recent), unreadable, after)
            if len(recent) < len(transactions):
                return

    async def history(self, wallet_id: WalletId, after: str | None) -> AsyncIterator[LedgerPage]:
        """All entries of a wallet that are older than the cursor `after`, newest first."""
        async for page, cursor in self._pages(_ENTRIES, wallet_id, after):
            transactions, unreadable = page.entries(whole=False)
            yield LedgerPage(_entries(transactions), unreadable, cursor)

    async def invoice_of(self, wallet_id: WalletId, payment_hash: PaymentHash) -> Issued:
        """The invoice of a wallet with this payment hash."""
        found = await self._call(_INVOICE, walletId=wallet_id, paymentHash=payment_hash)
        return Issued(PaymentHash(found.payment_hash), found.payment_request, found.created_at)

    async def invoices_since(
        self, wallet_id: WalletId, since: datetime
    ) -> AsyncIterator[Sequence[ListedInvoice]]:
        """All invoices of a wallet from `since` on by Blink's clock, in pages, newest first."""
        async for page, _ in self._pages(_INVOICES, wallet_id, None):
            invoices = page.invoices()
            recent = [one for one in invoices if one.created_at >= since]
            yield recent
            if len(recent) < len(invoices):
                return

    async def btc_wallet(self) -> WalletId:
        """The BTC wallet of the account. Raises `Unknown` if it has none."""
        wallets = await self._call(_WALLETS)
        for wallet in wallets:
            if wallet.wallet_currency == "BTC":
                return WalletId(wallet.id)
        raise Unknown("the account has no BTC wallet")

    async def credentials(self) -> Credentials:
        """What Blink says of this API key; needs the scope READ."""
        found = await self._call(_CREDENTIALS)
        return Credentials(
            scopes=found.authorization.scopes,
            network=found.globals.network,
            wallets=found.me.default_account.wallets,
        )

    async def _pages(
        self, call: Call[Connection], wallet_id: WalletId, after: str | None
    ) -> AsyncIterator[tuple[Connection, str | None]]:
        """One query for each page, for as long as they are asked for, and where the next begins."""
        while True:
            page = await self._call(call, walletIds=[wallet_id], first=PAGE, after=after)
            cursor = page.page_info.end_cursor
            yield page, cursor
            if not page.page_info.has_next_page:
                return
            if cursor in (None, after):
                raise Unknown("a list of Blink's does not move on")
            after = cursor

    async def _call(self, call: Call[Shape], **variables: object) -> Shape:
        """Ask, and let the observer know how that went."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        ended: object = None
        try:
            answer = await self._ask(call, variables)
            ended = _said(answer)
        except BlinkError as exc:
            ended = exc
            raise
        finally:
            if ended is not None:  # None: our own side has given up waiting
                self._observe(call.operation.name, outcome_of(ended), clock() - begun)
        return answer

    async def _ask(self, call: Call[Shape], variables: Mapping[str, object]) -> Shape:
        """Send, wait for the answer no longer than its deadline, and read it."""
        try:
            async with asyncio.timeout(call.seconds):
                request = call.operation.bind(**variables)
                # A redirect would carry the key, and a payment, to somebody else.
                data: object = await self._session.execute(request, extra_args=_NO_REDIRECTS)
            return call.shape.validate_python(_at(data, call.path))
        except Exception as exc:
            raise without(translate(exc), self._api_key.get_secret_value()) from exc


def _said(answer: object) -> object:
    """A refusal may lie in an answer that is well-formed."""
    match answer:
        case replies.CreateReply() | replies.CancelReply() | replies.PayReply() if answer.errors:
            return answer.errors[0].refusal()
        case _:
            return answer


def _at(data: object, path: Sequence[str]) -> object:
    for name in path:
        if not isinstance(data, dict) or name not in data:
            raise Unknown(f"Blink's answer has no {name!r}")
        data = data[name]
    return data


def _entries(found: Sequence[Transaction]) -> list[Entry]:
    entries = [transaction.entry(transaction.created_at) for transaction in found]
    return [entry for entry in entries if entry is not None]
