"""Users, accounts and wallets of Blink's graph: a field is an attribute, or a method if it asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Unpack

from forwarder.sandbox import bills, errors, pages
from forwarder.sandbox.accounts import Account, Wallet
from forwarder.sandbox.bank import Bank
from forwarder.sandbox.ledger import Currency
from forwarder.sandbox.pages import Window, WindowArguments
from forwarder.sandbox.records import (
    InvoiceNode,
    TransactionNode,
    connection,
    transaction_node,
)


@dataclass(frozen=True, slots=True)
class UserNode:
    """A user. Over the websocket Blink makes it of the account, whose id it then bears."""

    bank: Bank
    account: Account
    id: str

    @property
    def username(self) -> str:
        return self.account.username

    @property
    def default_account(self) -> AccountNode:
        return AccountNode(self.bank, self.account)


@dataclass(frozen=True, slots=True)
class PublicWalletNode:
    id: str
    currency: Currency

    @property
    def wallet_currency(self) -> Currency:
        return self.currency


@dataclass(frozen=True, slots=True)
class AccountNode:
    typename: ClassVar[str] = "ConsumerAccount"
    display_currency: ClassVar[str] = "USD"
    bank: Bank
    account: Account

    @property
    def id(self) -> str:
        return self.account.id

    @property
    def level(self) -> str:
        return self.account.level

    @property
    def default_wallet_id(self) -> str:
        return self.account.default_wallet_id

    @property
    def default_wallet(self) -> PublicWalletNode:
        return public_wallet(self.account, None)

    @property
    def wallets(self) -> list[WalletNode]:
        return [WalletNode(self.bank, wallet) for wallet in self.account.wallets]

    def wallet_by_id(self, wallet_id: str) -> WalletNode:
        for wallet in self.account.wallets:
            if wallet.id == wallet_id:
                return WalletNode(self.bank, wallet)
        raise errors.refusal("INVALID_INPUT", "Invalid walletId for account.")

    def transactions(
        self, wallet_ids: list[str] | None = None, **window: Unpack[WindowArguments]
    ) -> dict[str, object]:
        return transaction_connection(self.bank, self._owned(wallet_ids), Window(**window))

    def invoices(
        self, wallet_ids: list[str] | None = None, **window: Unpack[WindowArguments]
    ) -> dict[str, object]:
        owned = self._owned(wallet_ids)
        return invoice_connection(self.bank, self.account.id, set(owned), Window(**window))

    def _owned(self, wallet_ids: list[str] | None) -> list[str]:
        mine = [wallet.id for wallet in self.account.wallets]
        return mine if wallet_ids is None else [self.wallet_by_id(w).id for w in wallet_ids]


@dataclass(frozen=True, slots=True)
class WalletNode:
    pending_incoming_balance: ClassVar[int] = 0  # on-chain only, which the sandbox has not
    bank: Bank
    wallet: Wallet

    @property
    def typename(self) -> str:
        return "BTCWallet" if self.wallet.currency == "BTC" else "UsdWallet"

    @property
    def id(self) -> str:
        return self.wallet.id

    @property
    def account_id(self) -> str:
        return self.wallet.account_id

    @property
    def wallet_currency(self) -> Currency:
        return self.wallet.currency

    @property
    def balance(self) -> int:
        return self.bank.ledger.balance(self.wallet.id)

    def transactions(self, **window: Unpack[WindowArguments]) -> dict[str, object]:
        return transaction_connection(self.bank, [self.wallet.id], Window(**window))

    def invoices(self, **window: Unpack[WindowArguments]) -> dict[str, object]:
        wallet = self.wallet
        return invoice_connection(self.bank, wallet.account_id, {wallet.id}, Window(**window))

    def transactions_by_payment_hash(self, payment_hash: str) -> list[TransactionNode]:
        found = self.bank.statements.with_hash(self.wallet.id, payment_hash)
        return [transaction_node(tx) for tx in found]

    def transactions_by_payment_request(self, payment_request: str) -> list[TransactionNode]:
        decoded = bills.decode(payment_request)
        return self.transactions_by_payment_hash(decoded.terms.payment_hash)

    def transaction_by_id(self, transaction_id: str) -> TransactionNode:
        for tx in self.bank.statements.of_wallet(self.wallet.id):
            if tx.id == transaction_id:
                return transaction_node(tx)
        raise errors.unexpected("CouldNotFindTransactionError")

    def invoice_by_payment_hash(self, payment_hash: str) -> InvoiceNode:
        invoice = self.bank.invoices.get(payment_hash)
        if invoice.wallet_id != self.wallet.id:
            raise errors.no_such_invoice(payment_hash)
        return InvoiceNode(invoice, self.bank.clock())


def public_wallet(account: Account, currency: Currency | None) -> PublicWalletNode:
    wanted = currency or account.default_currency
    wallet = next(wallet for wallet in account.wallets if wallet.currency == wanted)
    return PublicWalletNode(wallet.id, wallet.currency)


def transaction_connection(
    bank: Bank, wallet_ids: Sequence[str], window: Window
) -> dict[str, object]:
    transactions = bank.statements.of_wallets(wallet_ids)
    page = pages.by_object_id(transactions, window, lambda tx: tx.id)
    return connection(page, lambda tx: tx.id, transaction_node)


def invoice_connection(
    bank: Bank, account_id: str, wallet_ids: set[str], window: Window
) -> dict[str, object]:
    invoices, now = bank.invoices.of_account(account_id, wallet_ids), bank.clock()
    page = pages.by_position(invoices, window, lambda invoice: invoice.payment_hash)
    return connection(page, lambda invoice: invoice.payment_hash, lambda i: InvoiceNode(i, now))
