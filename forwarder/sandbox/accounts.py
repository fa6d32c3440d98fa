"""Who has money in the sandbox: accounts, their two wallets, and API keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from forwarder.sandbox import errors
from forwarder.sandbox.entropy import Entropy
from forwarder.sandbox.errors import SandboxError
from forwarder.sandbox.ledger import Currency

AccountStatus = Literal["active", "invited", "new", "pending", "locked", "closed", "migrated"]
Level = Literal["ZERO", "ONE", "TWO", "THREE"]
Scope = Literal["READ", "RECEIVE", "WRITE"]

STATUSES: tuple[AccountStatus, ...] = get_args(AccountStatus)
SCOPES: tuple[Scope, ...] = get_args(Scope)
RECEIVING: frozenset[AccountStatus] = frozenset({"active", "invited"})


@dataclass(frozen=True, slots=True)
class Wallet:
    id: str
    account_id: str
    currency: Currency


@dataclass(slots=True)
class Account:
    """A Blink account; its `spending_limit` is in cents a day, None for none."""

    id: str
    user_id: str
    username: str
    btc_wallet_id: str
    usd_wallet_id: str
    default_currency: Currency = "BTC"
    level: Level = "TWO"
    status: AccountStatus = "active"
    receive_disabled: bool = False
    spending_limit: int | None = None

    @property
    def default_wallet_id(self) -> str:
        return self.btc_wallet_id if self.default_currency == "BTC" else self.usd_wallet_id

    @property
    def wallets(self) -> tuple[Wallet, Wallet]:
        return Wallet(self.btc_wallet_id, self.id, "BTC"), Wallet(
            self.usd_wallet_id, self.id, "USD"
        )


@dataclass(slots=True)
class ApiKey:
    """An API key; its `daily_limit` is in sats, None for none."""

    value: str
    account: Account
    scopes: tuple[Scope, ...]
    revoked: bool = False
    daily_limit: int | None = None


@dataclass(slots=True)
class Accounts:
    entropy: Entropy
    by_id: dict[str, Account] = field(default_factory=dict)
    wallets: dict[str, Wallet] = field(default_factory=dict)
    _keys: dict[str, ApiKey] = field(default_factory=dict)

    def open(self, username: str) -> Account:
        if any(account.username == username for account in self.by_id.values()):
            raise SandboxError(f"username {username!r} is taken")
        new_id = self.entropy.uuid
        account = Account(new_id(), new_id(), username, new_id(), new_id())
        self.by_id[account.id] = account
        for wallet in account.wallets:
            self.wallets[wallet.id] = wallet
        return account

    def create_key(self, account: Account, scopes: tuple[Scope, ...]) -> ApiKey:
        key = ApiKey(f"blink_{self.entropy.token(64)}", account, scopes)
        self._keys[key.value] = key
        return key

    def key(self, value: str) -> ApiKey | None:
        """The key of this value while it is good."""
        key = self._keys.get(value)
        return None if key is None or key.revoked else key

    def revoke(self, value: str, revoked: bool = True) -> None:
        if value not in self._keys:
            raise SandboxError("no such API key")
        self._keys[value].revoked = revoked

    def owner(self, wallet_id: str) -> Account:
        return self.by_id[self.wallet(wallet_id).account_id]

    def wallet(self, wallet_id: str) -> Wallet:
        wallet = self.wallets.get(wallet_id)
        if wallet is None:
            raise errors.unexpected("CouldNotFindWalletFromIdError")
        return wallet

    def named(self, username: str) -> Account:
        for account in self.by_id.values():
            if account.username.lower() == username.lower():
                return account
        message = f"Account does not exist for username {username}"
        raise errors.refusal("NOT_FOUND", message)


def parse_scopes(names: Iterable[str]) -> tuple[Scope, ...]:
    wanted = set(names)
    if unknown := wanted.difference(SCOPES):
        raise SandboxError(f"unknown scopes: {sorted(unknown)}")
    return tuple(scope for scope in SCOPES if scope in wanted)


def check_can_receive(account: Account) -> None:
    """Raise the refusal that a payment or an invoice for this account meets."""
    if account.status not in RECEIVING:
        raise errors.account_inactive()
    if account.receive_disabled:
        raise errors.receive_disabled()
