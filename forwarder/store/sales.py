"""The sales, as an operator looks for them: invoices, payments and forwards seen as one.

Each way in which a sale can be meant is a query of its own, along an index of its own, and no
longer than the page that is asked for. So a page costs the same however much there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    String,
    Table,
    and_,
    exists,
    literal,
    not_,
    select,
    tuple_,
    union,
)

from forwarder.model.forward import Forward, ForwardState
from forwarder.model.invoice import Invoice, InvoiceState
from forwarder.model.payment import Payment
from forwarder.model.sale import (
    UNPAID,
    WORST_FIRST,
    Page,
    Place,
    Sale,
    Search,
    Standing,
    Wanted,
)
from forwarder.model.units import PaymentHash
from forwarder.store import rows
from forwarder.store.columns import UtcDateTime
from forwarder.store.database import Transaction
from forwarder.store.forwards import read
from forwarder.store.tables import forwards, invoices, merchants, payments

_One = TypeVar("_One", Invoice, Payment)
Way = Select[Any]
"""A query for the places of sales."""

Condition = ColumnElement[bool]

_AFTER_HEX: Final = "g"
_STATES: Final[Mapping[Standing | None, ForwardState]] = {Standing(it): it for it in ForwardState}
_ENDINGS: Final[Mapping[Standing | None, InvoiceState]] = {Standing(it): it for it in UNPAID}


async def page(tx: Transaction, wanted: Wanted) -> Page:
    """The sales that are asked for, newest first."""
    ways = [_newest(way, wanted) for way in await _ways(tx, wanted)]
    keys = union(*(select(way.subquery()) for way in ways)).subquery()
    newest = select(keys.c.payment_hash).order_by(keys.c.at.desc(), keys.c.payment_hash.desc())
    hashes = list((await tx.execute(newest.limit(wanted.limit + 1))).scalars())
    found = await _read(tx, hashes[: wanted.limit])
    return Page(found, found[-1].place if len(hashes) > wanted.limit else None)


async def since(tx: Transaction, start: Place, end: Place, limit: int) -> tuple[Sale, ...]:
    """The sales that were paid after one place and before another, oldest first."""
    place = tuple_(payments.c.seen_at, payments.c.payment_hash)
    query = select(payments.c.payment_hash).where(place > _bound(start), place < _bound(end))
    oldest = query.order_by(payments.c.seen_at, payments.c.payment_hash).limit(limit)
    return await _read(tx, list((await tx.execute(oldest)).scalars()))


async def find(tx: Transaction, payment_hash: PaymentHash) -> Sale | None:
    """The sale of that hash, paid or not."""
    found = await _read(tx, [payment_hash])
    return found[0] if found else None


async def beginning(tx: Transaction, prefix: str, limit: int) -> list[PaymentHash]:
    """The hashes of sales that begin so, at most `limit` of each kind."""
    ways = (
        select(select(column).where(_begins(column, prefix)).limit(limit).subquery())
        for column in (payments.c.payment_hash, invoices.c.payment_hash)
    )
    return list((await tx.execute(union(*ways))).scalars())


# Ways to find a sale


async def _ways(tx: Transaction, wanted: Wanted) -> list[Way]:
    if wanted.search is None:
        return [_all(wanted.standing)]
    sellers = await _sellers(tx, wanted.search)
    paid = [] if wanted.standing in _ENDINGS else _paid(wanted.search, sellers, wanted.standing)
    endings = _ENDINGS.values() if wanted.standing is None else _ending(wanted.standing)
    return [*paid, *(way for state in endings for way in _unpaid(wanted.search, sellers, state))]


def _all(standing: Standing | None) -> Way:
    """Everything that stands so; without a standing, all money that has arrived."""
    if standing in _ENDINGS:
        return _invoices(invoices.c.state == _ENDINGS[standing])
    if standing in _STATES:
        state = _STATES[standing]
        return _forwards(forwards.c.state == state, _none_worse(forwards.c.payment_hash, state))
    return _payments(*_stands(payments.c.payment_hash, standing))


def _paid(search: Search, sellers: Collection[int], standing: Standing | None) -> Iterator[Way]:
    rest = _stands(payments.c.payment_hash, standing)
    tied = payments.c.invoice_id == invoices.c.id
    yield _payments(tied, invoices.c.external_id == search.text, *rest)
    if search.prefix is not None:
        yield _payments(_begins(payments.c.payment_hash, search.prefix), *rest)
    if search.amount is not None:
        yield _payments(payments.c.received == search.amount, *rest)
    if standing is not Standing.UNMATCHED:
        rest = _stands(forwards.c.payment_hash, standing)
        yield from (_forwards(forwards.c.merchant_id == seller, *rest) for seller in sellers)


def _unpaid(search: Search, sellers: Collection[int], state: InvoiceState) -> Iterator[Way]:
    # SQLite would walk along all invoices of that state to meet one of that name.
    unpaid = invoices.c.state.concat("") == state.value
    yield _invoices(invoices.c.external_id == search.text, unpaid)
    if search.prefix is not None:
        yield _invoices(_begins(invoices.c.payment_hash, search.prefix), unpaid)
    if search.amount is not None:
        yield _invoices(invoices.c.amount == search.amount, unpaid)
    for seller in sellers:
        yield _invoices(invoices.c.merchant_id == seller, invoices.c.state == state)


def _ending(standing: Standing) -> Collection[InvoiceState]:
    return (_ENDINGS[standing],) if standing in _ENDINGS else ()


def _payments(*conditions: Condition) -> Way:
    return _way(payments, payments.c.seen_at, *conditions)


def _forwards(*conditions: Condition) -> Way:
    """By forwards, which are as old as their payment; a payment can have several."""
    return _way(forwards, forwards.c.created_at, *conditions).distinct()


def _invoices(*conditions: Condition) -> Way:
    return _way(invoices, invoices.c.created_at, *conditions)


def _way(table: Table, at: Column[Any], *conditions: Condition) -> Way:
    return select(at.label("at"), table.c.payment_hash, table.c.source).where(*conditions)


def _newest(way: Way, wanted: Wanted) -> Way:
    """The end of one way that a page can need, and one more: whether there is a next page."""
    at, payment_hash, source = way.selected_columns
    if wanted.source is not None:
        way = way.where(source == wanted.source)
    if wanted.before is not None:
        way = way.where(tuple_(at, payment_hash) < _bound(wanted.before))
    return way.order_by(at.desc(), payment_hash.desc()).limit(wanted.limit + 1)


# Conditions


def _stands(payment_hash: Column[Any], standing: Standing | None) -> list[Condition]:
    """What must hold of a payment that stands so."""
    if standing is None:
        return []
    if standing is Standing.UNMATCHED:
        return [payments.c.invoice_id.is_(None)]
    state = _STATES[standing]
    return [_has(payment_hash, [state]), _none_worse(payment_hash, state)]


def _none_worse(payment_hash: Column[Any], state: ForwardState) -> Condition:
    return not_(_has(payment_hash, WORST_FIRST[: WORST_FIRST.index(state)]))


def _has(payment_hash: Column[Any], states: Collection[ForwardState]) -> Condition:
    other = forwards.alias()
    return exists().where(other.c.payment_hash == payment_hash, other.c.state.in_(states))


def _begins(payment_hash: Column[Any], prefix: str) -> Condition:
    return and_(payment_hash >= prefix, payment_hash < prefix + _AFTER_HEX)


def _bound(place: Place) -> Any:  # noqa: ANN401 - a row of values has no type of its own
    return tuple_(literal(place.at, UtcDateTime), literal(place.payment_hash, String))


async def _sellers(tx: Transaction, search: Search) -> list[int]:
    known = await tx.execute(select(merchants.c.id, merchants.c.name))
    return [row.id for row in known if search.names(row.name)]


# Reading


async def _read(tx: Transaction, hashes: Sequence[PaymentHash]) -> tuple[Sale, ...]:
    """The sales of these hashes, in this order; a hash of no sale is left out."""
    made = {one.payment_hash: one for one in await _among(tx, invoices, Invoice, hashes)}
    paid = {one.payment_hash: one for one in await _among(tx, payments, Payment, hashes)}
    sent = defaultdict(list)
    for forward in await _forwards_of(tx, hashes):
        sent[forward.payment_hash].append(forward)
    names = await _names(tx, made.values(), chain(*sent.values()))
    return tuple(
        Sale(
            invoice=made.get(one),
            payment=paid.get(one),
            forwards=tuple(sent[one]),
            merchants=names,
        )
        for one in hashes
        if one in made or one in paid
    )


async def _among(
    tx: Transaction, table: Table, kind: type[_One], hashes: Sequence[PaymentHash]
) -> list[_One]:
    query = select(table).where(table.c.payment_hash.in_(hashes))
    return rows.read_all(kind, await tx.execute(query))


async def _forwards_of(tx: Transaction, hashes: Sequence[PaymentHash]) -> list[Forward]:
    query = select(forwards).where(forwards.c.payment_hash.in_(hashes))
    by_position = query.order_by(forwards.c.payment_hash, forwards.c.position)
    return [read(row) for row in await tx.execute(by_position)]


async def _names(
    tx: Transaction, made: Iterable[Invoice], sent: Iterable[Forward]
) -> dict[int, str]:
    ids = {one.merchant_id for one in made} | {one.merchant_id for one in sent}
    query = select(merchants.c.id, merchants.c.name).where(merchants.c.id.in_(ids))
    return {row.id: row.name for row in await tx.execute(query)}
