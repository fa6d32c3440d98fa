"""Journals of payments, as lists of postings. Pure: nothing here books anything."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.sandbox import prices
from forwarder.sandbox.accounts import Account, Wallet
from forwarder.sandbox.ledger import Currency, House, Posting, house_wallet


@dataclass(frozen=True, slots=True)
class Side:
    """Where money leaves or arrives, and the memo that this side gets to see."""

    wallet_id: str
    currency: Currency = "BTC"
    username: str | None = None
    memo: str | None = None


def house(name: House) -> Side:
    return Side(house_wallet(name, "BTC"))


def party(wallet: Wallet, account: Account, memo: str | None) -> Side:
    return Side(wallet.id, wallet.currency, account.username, memo)


def transfer(sats: int, source: Side, target: Side, fee: int = 0) -> list[Posting]:
    """Move sats, and a fee that the target keeps; dollars pass through the dealer."""
    total = sats + fee
    out = debit(total, source)
    postings = [
        _posting(source, -out, target, debit(fee, source)),
        _posting(target, credit(total, target), source),
    ]
    if source.currency == "USD":
        postings += _exchange(cents=out, sats=-total)
    if target.currency == "USD":
        postings += _exchange(cents=-credit(total, target), sats=total)
    return postings


def debit(sats: int, side: Side) -> int:
    return sats if side.currency == "BTC" else prices.cents_for(sats)


def credit(sats: int, side: Side) -> int:
    return sats if side.currency == "BTC" else prices.cents_of(sats)


def _posting(side: Side, amount: int, other: Side, fee: int = 0) -> Posting:
    return Posting(
        wallet_id=side.wallet_id,
        currency=side.currency,
        amount=amount,
        fee=fee,
        memo=side.memo,
        counterparty_wallet_id=other.wallet_id,
        counterparty_username=other.username,
    )


def _exchange(cents: int, sats: int) -> list[Posting]:
    return [
        Posting(house_wallet("dealer", "USD"), "USD", cents),
        Posting(house_wallet("dealer", "BTC"), "BTC", sats),
    ]
