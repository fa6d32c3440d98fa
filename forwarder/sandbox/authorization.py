"""Who may do what: Blink's shield and scopes, which guard HTTP and not the websocket."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.sandbox import errors
from forwarder.sandbox.accounts import Account, Accounts, ApiKey, Scope
from forwarder.sandbox.errors import InvalidInput, Refusal

READING: frozenset[Scope] = frozenset({"READ"})
RECEIVING: frozenset[Scope] = frozenset({"RECEIVE", "WRITE"})
SENDING: frozenset[Scope] = frozenset({"WRITE"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the owner of an API key, or anybody when there is none."""

    key: ApiKey | None = None

    @property
    def account(self) -> Account | None:
        return self.key.account if self.key else None

    @property
    def account_id(self) -> str | None:
        return self.key.account.id if self.key else None

    @property
    def scopes(self) -> frozenset[Scope]:
        return frozenset(self.key.scopes) if self.key else frozenset()


ANYBODY = Caller()


def reader(caller: Caller) -> Account:
    """The account that may be read, or a top-level error."""
    account = active(caller)
    if not caller.scopes & READING:
        raise errors.out_of_scope("read data")
    return account


def active(caller: Caller) -> Account:
    """The caller's account while it is active; the shield's error otherwise."""
    account = caller.account
    if account is None or account.status != "active":
        raise errors.not_authorized()
    return account


def wallet_objection(
    caller: Caller, accounts: Accounts, wallet_id: object, needed: frozenset[Scope]
) -> Refusal | None:
    """Why a mutation of a wallet is out of the question.

    Blink's wallet middleware finds out, and drops the code of every such error.
    """
    if isinstance(wallet_id, InvalidInput):
        return wallet_id
    wallet = accounts.wallets.get(str(wallet_id))
    if wallet is None:
        return errors.uncoded(errors.unexpected("CouldNotFindWalletFromIdError"))
    if wallet.account_id != caller.account_id:
        return errors.uncoded(errors.unexpected("InvalidWalletForAccountError"))
    return None if caller.scopes & needed else errors.out_of_scope("execute mutations")
