"""The roots of queries and subscriptions, for one caller."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass, fields

from forwarder.sandbox import authorization, errors, nodes
from forwarder.sandbox.accounts import Account, Scope
from forwarder.sandbox.authorization import Caller
from forwarder.sandbox.bank import Bank
from forwarder.sandbox.bolt11 import Network
from forwarder.sandbox.errors import InvalidInput
from forwarder.sandbox.ledger import Currency
from forwarder.sandbox.nodes import PublicWalletNode, UserNode
from forwarder.sandbox.prices import RealtimePrice
from forwarder.sandbox.records import TransactionNode
from forwarder.sandbox.updates import Event, IntraLedgerUpdate, LnUpdate, Update


@dataclass(frozen=True, slots=True)
class Query:
    bank: Bank
    caller: Caller

    @property
    def me(self) -> UserNode:
        account = authorization.reader(self.caller)
        return UserNode(self.bank, account, account.user_id)

    @property
    def authorization(self) -> dict[str, list[Scope]]:
        authorization.reader(self.caller)
        return {"scopes": sorted(self.caller.scopes)}

    @property
    def globals(self) -> dict[str, object]:
        network: Network = self.bank.network
        return {
            "network": network,
            "nodes_ids": [self.bank.node.id],
            "lightning_address_domain": "sandbox.invalid",
        }

    def realtime_price(self, currency: str) -> RealtimePrice:
        if currency != "USD":
            raise errors.refusal("INVALID_INPUT", "Price unavailable for this currency")
        return RealtimePrice(self.bank.clock())

    def account_default_wallet(
        self, username: str, wallet_currency: Currency | None = None
    ) -> PublicWalletNode:
        account = self.bank.accounts.named(username)
        if account.status == "migrated":
            raise errors.account_inactive()
        return nodes.public_wallet(account, wallet_currency)

    def ln_invoice_payment_status_by_hash(self, input: dict[str, object]) -> dict[str, object]:
        payment_hash = input["payment_hash"]
        if isinstance(payment_hash, InvalidInput):
            raise payment_hash
        invoice = self.bank.invoices.find(str(payment_hash))
        if invoice is None:
            raise errors.unexpected("InvoiceNotFoundError")
        return {
            "payment_hash": invoice.payment_hash,
            "payment_request": invoice.payment_request,
            "payment_preimage": invoice.preimage if invoice.paid else None,
            "status": invoice.payment_status(self.bank.clock()),
        }


@dataclass(frozen=True, slots=True)
class Subscription:
    """The root while a subscription starts. The websocket asks for an account, never for scopes."""

    source: AsyncIterable[Event] | None

    def my_updates(self) -> AsyncIterable[Event]:
        if self.source is None:
            raise errors.Refusal("Not Authenticated for subscription", "NOT_AUTHENTICATED")
        return self.source


@dataclass(frozen=True, slots=True)
class UpdateRoot:
    """The root of one event of `myUpdates`."""

    bank: Bank
    event: Event

    @property
    def my_updates(self) -> dict[str, object]:
        if self.event.flaw == "error":
            raise errors.unexpected("UnknownPubSubError")
        me = self.event.me and user_of(self.bank, self.event.me)
        return {"errors": [], "me": me, "update": update_node(self.event.update)}


def user_of(bank: Bank, account: Account) -> UserNode:
    # A user made of the account: over the websocket `me.id` is the account's id.
    return UserNode(bank, account, account.id)


def update_node(update: Update) -> object:
    """An update as it comes out of the JSON that carries it to Blink's websocket servers."""
    if not isinstance(update, LnUpdate | IntraLedgerUpdate):
        return update
    tx = update.transaction
    # Dates have become text, and the preimage is often not written yet.
    transaction = TransactionNode(tx, tx.created_at.isoformat(), None)
    values = {field.name: getattr(update, field.name) for field in fields(update)}
    return values | {"typename": update.typename, "transaction": transaction}
