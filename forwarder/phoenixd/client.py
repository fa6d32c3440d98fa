"""The node's HTTP side: every call with a deadline, every answer bounded, no redirect followed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Literal, TypeVar

import structlog
from aiohttp import ClientSession, ClientTimeout, encode_basic_auth
from pydantic import JsonValue, SecretStr, TypeAdapter, ValidationError

from forwarder.bounds import BoundedResponse
from forwarder.model.calls import Observer, outcome_of, unobserved
from forwarder.model.forward import PayoutInvoice
from forwarder.model.invoice import Issued
from forwarder.model.ledger import Entry, LedgerPage, Paid, Unreadable
from forwarder.model.refusal import Refusal
from forwarder.model.units import PaymentHash, Sats
from forwarder.phoenixd import replies
from forwarder.phoenixd.errors import PhoenixdError, Refused, Unknown, answered, translate
from forwarder.phoenixd.replies import Balance, IncomingPayment, NodeInfo, OutgoingPayment

log = structlog.get_logger(__name__)

PAGE: Final = 100
_NAME: Final = re.compile(r"[0-9a-f-]{36,64}")
MAX_DESCRIPTION: Final = 128  # characters; a longer one is refused

Shape = TypeVar("Shape")
Listed = TypeVar("Listed", IncomingPayment, OutgoingPayment)


@dataclass(frozen=True, slots=True)
class Call(Generic[Shape]):
    """A call, the name it is counted by, how long its answer may take, and what its answer is."""

    name: str
    method: Literal["GET", "POST"]
    path: str
    seconds: float
    shape: TypeAdapter[Shape]


_JSON_LIST: TypeAdapter[list[JsonValue]] = TypeAdapter(list[JsonValue])
_INFO = Call("Info", "GET", "/getinfo", 5, TypeAdapter(NodeInfo))
_BALANCE = Call("Balance", "GET", "/getbalance", 5, TypeAdapter(Balance))
_CREATE = Call("CreateInvoice", "POST", "/createinvoice", 15, TypeAdapter(replies.GeneratedInvoice))
# The node answers when the payment has ended, which it may take any time for.
_PAY: Call[replies.PaymentSent | replies.PaymentFailed] = Call(
    "PayInvoice",
    "POST",
    "/payinvoice",
    20,
    TypeAdapter(replies.PaymentSent | replies.PaymentFailed),
)
_RECEIVED = Call("Received", "GET", "/payments/incoming/{}", 10, TypeAdapter(IncomingPayment))
_SENT = Call("Sent", "GET", "/payments/outgoingbyhash/{}", 10, TypeAdapter(OutgoingPayment))
_INCOMING = Call("Incoming", "GET", "/payments/incoming", 10, _JSON_LIST)
_OUTGOING = Call("Outgoing", "GET", "/payments/outgoing", 10, _JSON_LIST)

OPERATIONS: Final = tuple(
    call.name for call in (_INFO, _BALANCE, _CREATE, _PAY, _RECEIVED, _SENT, _INCOMING, _OUTGOING)
)
"""The name of each call over HTTP."""


class PhoenixdClient:
    """One node. Every method raises `NeverSent`, `Refused` or `Unknown`."""

    def __init__(
        self,
        session: ClientSession,
        url: str,
        password: SecretStr,
        observe: Observer = unobserved,
    ) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._password = password.get_secret_value()
        self._observe = observe

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, password: SecretStr, observe: Observer = unobserved
    ) -> AsyncIterator[PhoenixdClient]:
        """A client for as long as it is needed; `observe` hears of each call."""
        headers = {"Authorization": encode_basic_auth("", password.get_secret_value())}
        timeout = ClientTimeout(total=None)  # each call has a deadline of its own
        async with ClientSession(
            headers=headers, timeout=timeout, response_class=BoundedResponse
        ) as session:
            yield cls(session, url, password, observe)

    async def info(self) -> NodeInfo:
        """Which node this is."""
        return await self._call(_INFO)

    async def balance(self) -> Balance:
        """What the node can send."""
        return await self._call(_BALANCE)

    async def may_pay(self) -> bool:
        """Whether the password is the one that may pay: asked with an order to pay nothing."""
        try:
            await self._call(_PAY, form={"invoice": ""})
        except Refused as exc:
            return exc.refusal.code == "HTTP_400"  # it was let in, and found no invoice
        return False

    async def create_invoice(
        self, amount: Sats, description: str, seconds: int, external_id: str
    ) -> Issued:
        """Make an invoice. The node takes an `external_id` as often as it is given."""
        wanted = {
            "amountSat": str(amount),
            "description": description,
            # Left out, it is an hour by the documentation, and a day by the code.
            "expirySeconds": str(seconds),
            "externalId": external_id,
        }
        try:
            return (await self._call(_CREATE, form=wanted)).issued()
        except ValueError as exc:
            raise Unknown(f"the node's invoice cannot be read: {exc}") from exc

    async def pay_invoice(self, payout: PayoutInvoice) -> Paid | Refusal:
        """Pay an invoice. Only `Paid` proves anything."""
        reply = await self._call(_PAY, form={"invoice": payout.payment_request})
        if reply.payment_hash != payout.payment_hash:
            raise Unknown("phoenixd has answered for another invoice")
        return reply.outcome()

    async def received(self, payment_hash: PaymentHash) -> IncomingPayment | None:
        """The node's invoice of this hash, paid or not; None if the node knows none."""
        return await self._find(_RECEIVED, payment_hash)

    async def sent(self, payment_hash: PaymentHash) -> Entry | None:
        """The best that became of paying this hash; None proves nothing.

        An older node, which does not know this call, says the same as one that knows no payment.
        """
        found = await self._find(_SENT, payment_hash)
        return None if found is None else found.entry()

    async def incoming_since(
        self, since: datetime, *, whole: bool = False, offset: int = 0
    ) -> AsyncIterator[LedgerPage]:
        """What was received from `since` on by the node's clock, in pages, newest first.

        A payment that is not understood is set aside, unless they are to prove something as a
        `whole`: then it raises `Unknown`. A page's cursor is how many rows come before the next.
        """
        pages = self._pages(_INCOMING, IncomingPayment, since, whole, offset, all="false")
        async for payments, unreadable, cursor in pages:
            found = [payment.entry() for payment in payments]
            yield LedgerPage((one for one in found if one is not None), unreadable, cursor)

    async def outgoing_since(
        self, since: datetime, *, whole: bool = False
    ) -> AsyncIterator[LedgerPage]:
        """What was sent, is being sent or failed to be sent, in the same way."""
        pages = self._pages(_OUTGOING, OutgoingPayment, since, whole, 0, all="true")
        async for payments, unreadable, cursor in pages:
            yield LedgerPage((payment.entry() for payment in payments), unreadable, cursor)

    async def _pages(
        self,
        call: Call[list[JsonValue]],
        kind: type[Listed],
        since: datetime,
        whole: bool,
        offset: int,
        **query: str,
    ) -> AsyncIterator[tuple[list[Listed], list[Unreadable], str]]:
        """Pages by offset: what comes in meanwhile moves the rest on, so that none is skipped.

        A node takes what is on the chain out of a page that it has cut already, so a short page is
        not the last one: only an empty one is.
        """
        start = str(max(0, int(since.timestamp() * 1000)))
        before: list[JsonValue] = []
        while True:
            window = {"from": start, "limit": str(PAGE), "offset": str(offset)}
            listed: list[JsonValue] = await self._call(call, query=window | query)
            if not listed or listed == before:  # the same again: it will never end
                return
            before, offset = listed, offset + PAGE
            found, unreadable = _read(kind, listed, whole=whole)
            yield found, unreadable, str(offset)

    async def _find(self, call: Call[Listed], payment_hash: PaymentHash) -> Listed | None:
        try:
            found = await self._call(call, payment_hash)
        except Refused as exc:
            if exc.refusal.code == "HTTP_404":
                return None
            raise
        if found.payment_hash != payment_hash:
            raise Unknown("phoenixd has answered for another payment")
        return found

    async def _call(
        self,
        call: Call[Shape],
        *parts: str,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Shape:
        """Ask, and let the observer know how that went."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        ended: object = None
        try:
            answer = await self._ask(call, call.path.format(*parts), query, form)
            ended = _said(answer)
        except PhoenixdError as exc:
            ended = exc
            raise
        finally:
            if ended is not None:  # None: our own side has given up waiting
                self._observe(call.name, outcome_of(ended), clock() - begun)
        return answer

    async def _ask(
        self,
        call: Call[Shape],
        path: str,
        query: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
    ) -> Shape:
        """Send, wait for the answer no longer than its deadline, and read it."""
        try:
            async with (
                asyncio.timeout(call.seconds),
                self._session.request(
                    call.method,
                    self._url + path,
                    params=query,
                    data=form,
                    allow_redirects=False,  # it would carry the password to somebody else
                ) as answer,
            ):
                body = await answer.read()
            if answer.status != 200:
                raise answered(answer.status, body[:500].decode(errors="replace"))
            return call.shape.validate_json(body)
        except Exception as exc:
            raise self._without_password(translate(exc)) from exc

    def _without_password(self, error: PhoenixdError) -> PhoenixdError:
        """What we sent may come back in what is said."""
        if self._password not in str(error):
            return error
        if isinstance(error, Refused):
            return Refused(Refusal(error.refusal.code, "(it repeats the password)"))
        return type(error)(str(error).replace(self._password, "(the password)"))


def _said(answer: object) -> object:
    """A refusal may lie in an answer that is well-formed."""
    return answer.outcome() if isinstance(answer, replies.PaymentFailed) else answer


def _read(
    kind: type[Listed], listed: Sequence[JsonValue], *, whole: bool
) -> tuple[list[Listed], list[Unreadable]]:
    """What is on a page, and what of it was not understood: one must not stop all others.

    Raises `Unknown` where the `whole` page is to prove something, and of what has not even an id.
    """
    found: list[Listed] = []
    unreadable: list[Unreadable] = []
    for node in listed:
        try:
            found.append(kind.model_validate(node))
        except ValidationError as exc:
            log.error("a part of a list of the node's was not understood", count=exc.error_count())
            name = _name_in(node)
            if whole or name is None:
                raise Unknown("a list of the node's was not understood") from exc
            unreadable.append(Unreadable(name, f"odd in {exc.error_count()} places"))
    return found, unreadable


def _name_in(node: JsonValue) -> str | None:
    """What a payment is known by, if that can be read."""
    named = node if isinstance(node, dict) else {}
    name = named.get("paymentId", named.get("paymentHash"))
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None
