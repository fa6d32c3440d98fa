"""A made-up past: sales of every kind, put into the tables as they are, and kept in mind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import strategies as st
from sqlalchemy import insert

from forwarder.model.forward import ForwardState
from forwarder.model.invoice import InvoiceState
from forwarder.model.payment import Witness
from forwarder.model.sale import UNPAID, WORST_FIRST, Standing
from forwarder.model.source import Source
from forwarder.store import tables
from forwarder.store.database import Transaction
from tests.store.rows import NOW, a_merchant

MERCHANTS = ("alice", "Bob")
MINUTE = timedelta(minutes=1)
ENDED = (ForwardState.FORWARDED, ForwardState.RESOLVED)


@dataclass(frozen=True)
class Past:
    """One sale: unpaid (`state`), unmatched (no merchant), or paid, with where its forwards stand.

    `asked` and `seen` are minutes, of which there are few, so that sales share a moment.
    """

    number: int
    merchant: str | None
    asked: int
    seen: int
    amount: int
    received: int
    source: Source
    state: InvoiceState
    forwards: tuple[ForwardState, ...]

    @property
    def payment_hash(self) -> str:
        """Few beginnings, so that a prefix finds several."""
        return f"{'abc'[self.number % 3]}{self.number % 2}ff{self.number:060x}"

    @property
    def external_id(self) -> str | None:
        return None if self.merchant is None else f"sale-{self.number // 2}"

    @property
    def standing(self) -> Standing:
        if self.merchant is None:
            return Standing.UNMATCHED
        if self.state in UNPAID:
            return Standing(self.state)
        return Standing(min(self.forwards, key=WORST_FIRST.index))

    @property
    def is_paid(self) -> bool:
        return self.merchant is None or self.state is InvoiceState.PAID

    @property
    def place(self) -> tuple[int, str]:
        return (self.seen if self.is_paid else self.asked, self.payment_hash)

    def means(self, text: str) -> bool:
        """Whether this is a sale that somebody can mean who types this."""
        sats = self.received if self.is_paid else self.amount
        named = self.merchant is not None and self.merchant.lower() == text.lower()
        prefix = len(text) >= 4 and self.payment_hash.startswith(text.lower())
        return prefix or named or text in (self.external_id, str(sats))


@st.composite
def pasts(draw: st.DrawFn) -> list[Past]:
    """Some sales, no two of the same name and merchant."""
    return [draw(_past(number)) for number in range(draw(st.integers(0, 14)))]


def _past(number: int) -> st.SearchStrategy[Past]:
    asked = st.integers(0, 3)
    # Two sales in a row have one name, so they belong to two merchants.
    merchant = st.sampled_from([MERCHANTS[number % 2], MERCHANTS[number % 2], None])
    return st.builds(
        Past,
        number=st.just(number),
        merchant=merchant,
        asked=asked,
        seen=st.integers(3, 6),
        amount=st.sampled_from([21, 100]),
        received=st.sampled_from([21, 100]),
        source=st.sampled_from(Source),
        state=st.sampled_from(InvoiceState),
        forwards=st.lists(st.sampled_from(ForwardState), min_size=1, max_size=2).map(tuple),
    )


async def keep(tx: Transaction, sales: Sequence[Past], ended_after: timedelta = MINUTE) -> None:
    """Put sales into the tables, as they are; each forward ends that long after its payment."""
    ids = {name: (await a_merchant(tx, name)).id for name in MERCHANTS}
    for sale in sales:
        invoice_id = None
        if sale.merchant is not None:
            invoice_id = await _keep_invoice(tx, sale, ids[sale.merchant])
        if sale.is_paid:
            await _keep_payment(tx, sale, invoice_id)
        if sale.merchant is not None and sale.is_paid:
            for position, state in enumerate(sale.forwards):
                await _keep_forward(tx, sale, ids[sale.merchant], position, state, ended_after)


async def _keep_invoice(tx: Transaction, sale: Past, merchant_id: int) -> int:
    at = NOW + sale.asked * MINUTE
    values = {
        "merchant_id": merchant_id,
        "external_id": sale.external_id,
        "payment_hash": sale.payment_hash,
        "source": sale.source,
        "payment_request": "lnbcrt1",
        "amount": sale.amount,
        "description": "coffee",
        "state": sale.state,
        "outlived": False,
        "issued_at": at,
        "created_at": at,
        "expires_at": at + MINUTE,
    }
    statement = insert(tables.invoices).values(values).returning(tables.invoices.c.id)
    return int((await tx.execute(statement)).scalar_one())


async def _keep_payment(tx: Transaction, sale: Past, invoice_id: int | None) -> None:
    values = {
        "payment_hash": sale.payment_hash,
        "source": sale.source,
        "transaction_id": f"tx-{sale.number}",
        "received": sale.received,
        "invoice_id": invoice_id,
        "witness": Witness.SUBSCRIPTION,
        "seen_at": NOW + sale.seen * MINUTE,
    }
    await tx.execute(insert(tables.payments).values(values))


async def _keep_forward(
    tx: Transaction,
    sale: Past,
    merchant_id: int,
    position: int,
    state: ForwardState,
    ended_after: timedelta,
) -> None:
    seen_at = NOW + sale.seen * MINUTE
    name = f"{sale.number}-{position}"
    values = {
        "payment_hash": sale.payment_hash,
        "source": sale.source,
        "position": position,
        "merchant_id": merchant_id,
        "amount": sale.received // 2 + position,
        "state": state,
        "attempt": 1,
        "external_id": f"fwd-{name}",
        "payout_hash": name if state is ForwardState.SENDING else None,
        "transaction_id": f"send-{name}" if state in ENDED else None,
        "tries": 0,
        "held_reason": "asks for a person" if state is ForwardState.HELD else None,
        "created_at": seen_at,
        "ended_at": seen_at + ended_after + position * MINUTE if state in ENDED else None,
    }
    await tx.execute(insert(tables.forwards).values(values))
