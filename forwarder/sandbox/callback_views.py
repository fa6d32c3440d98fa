"""What Blink's webhooks say: JSON that is unlike its GraphQL in names, cases and dates."""

from __future__ import annotations

from collections.abc import Mapping

from forwarder.sandbox import prices, records
from forwarder.sandbox.accounts import Account
from forwarder.sandbox.transactions import TransactionView

View = Mapping[str, object]


def event(account: Account, tx: TransactionView) -> View:
    """A whole body."""
    return {
        "accountId": account.id,
        # What an invoice brought is `lightning`, even when both sides are users of Blink.
        "eventType": f"{tx.direction.lower()}.{tx.initiation}",
        "walletId": tx.wallet_id,
        "transaction": transaction(tx),
    }


def transaction(tx: TransactionView) -> View:
    created_at = tx.created_at.isoformat(timespec="milliseconds")
    price = prices.SAT_PRICE if tx.currency == "BTC" else prices.CENT_PRICE
    return {
        "id": tx.id,
        "walletId": tx.wallet_id,
        "externalId": tx.external_id,
        "status": tx.status.lower(),
        "createdAt": created_at.replace("+00:00", "Z"),
        "memo": tx.memo,
        "settlementAmount": tx.amount,
        "settlementFee": tx.fee,
        "settlementCurrency": tx.currency,
        "settlementDisplayAmount": records.display(tx.amount, tx.currency),
        "settlementDisplayFee": records.display(tx.fee, tx.currency),
        "settlementDisplayPrice": {
            "base": str(price.base),
            "offset": str(price.offset),
            "displayCurrency": "USD",
            "walletCurrency": tx.currency,
        },
        "initiationVia": initiation(tx),
        "settlementVia": settlement(tx),
    }


def initiation(tx: TransactionView) -> View:
    if tx.initiation == "lightning":
        return {"type": "lightning", "paymentHash": tx.payment_hash}
    return {"type": "intraledger", "counterPartyUsername": tx.counterparty_username}


def settlement(tx: TransactionView) -> View:
    if tx.settlement == "lightning":
        return {"type": "lightning", "revealedPreImage": tx.preimage}
    return {"type": "intraledger", "counterPartyUsername": tx.counterparty_username}
