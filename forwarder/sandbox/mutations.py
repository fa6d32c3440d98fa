"""The root of mutations: every refusal becomes a payload, as Blink does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ClassVar, Protocol, Self, TypeVar

from forwarder.sandbox import authorization, errors
from forwarder.sandbox.accounts import Scope
from forwarder.sandbox.authorization import RECEIVING, SENDING, Caller
from forwarder.sandbox.bank import Bank
from forwarder.sandbox.errors import InvalidInput, Refusal
from forwarder.sandbox.faults import Fault
from forwarder.sandbox.invoices import InvoiceOrder
from forwarder.sandbox.payments import Attempt, Outcome, SendOrder, SendStatus, TransferOrder
from forwarder.sandbox.records import InvoiceNode, TransactionNode, transaction_node

Input = dict[str, Any]

OPEN_INVOICE_SATS = 1000  # what a fault's customer pays when the invoice leaves it to them


@dataclass(frozen=True, slots=True)
class ErrorNode:
    typename: ClassVar[str] = "GraphQLApplicationError"
    message: str
    code: str | None = None
    path: None = None


def error_nodes(refusal: Refusal) -> list[ErrorNode]:
    return [ErrorNode(refusal.message, refusal.code)]


class Payload(Protocol):
    @classmethod
    def refused(cls, refusal: Refusal) -> Self: ...


@dataclass(frozen=True, slots=True)
class InvoicePayload:
    errors: list[ErrorNode] = field(default_factory=list)
    invoice: InvoiceNode | None = None

    @classmethod
    def refused(cls, refusal: Refusal) -> Self:
        return cls(error_nodes(refusal))


@dataclass(frozen=True, slots=True)
class SuccessPayload:
    errors: list[ErrorNode] = field(default_factory=list)
    success: bool | None = None

    @classmethod
    def refused(cls, refusal: Refusal) -> Self:
        return cls(error_nodes(refusal), None if refusal.code is None else False)


@dataclass(frozen=True, slots=True)
class AmountPayload:
    errors: list[ErrorNode] = field(default_factory=list)
    amount: int | None = None

    @classmethod
    def refused(cls, refusal: Refusal) -> Self:
        return cls(error_nodes(refusal))


@dataclass(frozen=True, slots=True)
class SendPayload:
    errors: list[ErrorNode] = field(default_factory=list)
    status: SendStatus | None = None
    transaction: TransactionNode | None = None

    @classmethod
    def refused(cls, refusal: Refusal) -> Self:
        # Input that does not parse and wallets out of reach have no code, and no status either.
        return cls(error_nodes(refusal), None if refusal.code is None else "FAILURE")

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        tx = outcome.transaction
        return cls(status=outcome.status, transaction=transaction_node(tx) if tx else None)


P = TypeVar("P", bound=Payload)
Method = Callable[["Mutation", Input], Awaitable[P]]


def guarded(payload: type[P], needed: frozenset[Scope] | None) -> Callable[[Method[P]], Method[P]]:
    """Let only those in whose key has one of the scopes; None lets anybody in."""

    def decorate(method: Method[P]) -> Method[P]:
        @wraps(method)
        async def answer(self: Mutation, input: Input) -> P:
            if needed is not None:
                authorization.active(self.caller)
            try:
                self.admit(input, needed)
                return await method(self, input)
            except Refusal as refusal:
                return payload.refused(refusal)

        return answer

    return decorate


@dataclass(frozen=True, slots=True)
class Mutation:
    """The mutations of one request; `dwell` is how long its sends keep the wallet locked."""

    bank: Bank
    caller: Caller
    fault: Fault | None = None
    dwell: float = 0.0

    def admit(self, input: Input, needed: frozenset[Scope] | None) -> None:
        """Raise what Blink finds before a mutation starts: middleware first, then the scalars."""
        if needed is not None:
            wallet_id, accounts = input["wallet_id"], self.bank.accounts
            objection = authorization.wallet_objection(self.caller, accounts, wallet_id, needed)
            if objection is not None:
                raise objection
        for value in input.values():
            if isinstance(value, InvalidInput):
                raise value
        if self.fault is not None and (refusal := refusal_of(self.fault)):
            raise refusal

    @guarded(InvoicePayload, RECEIVING)
    async def ln_invoice_create(self, input: Input) -> InvoicePayload:
        return self._create(InvoiceOrder(**input))

    @guarded(InvoicePayload, RECEIVING)
    async def ln_usd_invoice_create(self, input: Input) -> InvoicePayload:
        return self._create(InvoiceOrder(**input, currency="USD"))

    @guarded(InvoicePayload, RECEIVING)
    async def ln_no_amount_invoice_create(self, input: Input) -> InvoicePayload:
        return self._create(InvoiceOrder(**input))

    @guarded(InvoicePayload, None)
    async def ln_invoice_create_on_behalf_of_recipient(self, input: Input) -> InvoicePayload:
        wanted = {name: value for name, value in input.items() if name != "webhook_url"}
        wallet_id = wanted.pop("recipient_wallet_id")
        return self._create(InvoiceOrder(wallet_id, on_behalf=True, **wanted))

    @guarded(SuccessPayload, RECEIVING)
    async def ln_invoice_cancel(self, input: Input) -> SuccessPayload:
        self.bank.invoices.cancel(input["wallet_id"], input["payment_hash"])
        return SuccessPayload(success=True)

    @guarded(AmountPayload, SENDING)
    async def ln_invoice_fee_probe(self, input: Input) -> AmountPayload:
        return AmountPayload(amount=self.bank.payments.probe(SendOrder(**input)))

    @guarded(SendPayload, SENDING)
    async def ln_invoice_payment_send(self, input: Input) -> SendPayload:
        return SendPayload.of(await self.bank.payments.send(SendOrder(**input), self._attempt))

    @guarded(SendPayload, SENDING)
    async def ln_no_amount_invoice_payment_send(self, input: Input) -> SendPayload:
        return SendPayload.of(await self.bank.payments.send(SendOrder(**input), self._attempt))

    @guarded(SendPayload, SENDING)
    async def intra_ledger_payment_send(self, input: Input) -> SendPayload:
        order = TransferOrder(**input)
        return SendPayload.of(await self.bank.payments.transfer(order, self._attempt))

    @property
    def _attempt(self) -> Attempt:
        return Attempt(self.caller.key, self.fault, self.dwell)

    def _create(self, order: InvoiceOrder) -> InvoicePayload:
        invoice = self.bank.invoices.create(order)
        if self.fault is not None and self.fault.kind == "paid_before_answer":
            self.bank.settlement.receive(invoice, invoice.terms.sats or OPEN_INVOICE_SATS)
        return InvoicePayload(invoice=InvoiceNode(invoice, self.bank.clock()))


def refusal_of(fault: Fault) -> Refusal | None:
    """The payload error that a fault puts in place of the mutation, if it is one of those."""
    if fault.kind == "too_many_requests":
        return errors.too_many_invoices()
    if fault.kind == "lock_busy":
        return errors.lock_busy()
    if fault.kind == "failure_no_effect":
        code = "UNEXPECTED_CLIENT_ERROR" if fault.code is None else str(fault.code)
        return Refusal(fault.message or "Unknown error occurred", code)
    return None
