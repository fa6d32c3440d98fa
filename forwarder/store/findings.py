"""The findings: opened once, counted while they are open, closed with a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import func, select, update

from forwarder.model.actor import Actor
from forwarder.model.finding import DIFFERENCES, Discovery, Finding, FindingKind, FindingState
from forwarder.model.source import Source
from forwarder.store import journal, rows
from forwarder.store.database import Transaction
from forwarder.store.inserts import insert_new
from forwarder.store.journal import Step
from forwarder.store.tables import findings

_OPEN = findings.c.closed_at.is_(None)


async def discover(tx: Transaction, found: Discovery, now: datetime) -> bool:
    """Open a finding; false if it is known, be it closed by now."""
    if not await insert_new(tx, findings, {**asdict(found), "seen_at": now}):
        return False
    detail = {"kind": found.kind, "transactionId": found.transaction_id, "amountSat": found.amount}
    step = Step(now, "finding opened", Actor.RECONCILIATION, detail)
    await journal.write(tx, found.payment_hash, step)
    return True


async def is_known(tx: Transaction, kind: FindingKind, source: Source, transaction_id: str) -> bool:
    """Whether it was opened before, be it closed by now."""
    query = select(findings.c.id).filter_by(kind=kind, source=source, transaction_id=transaction_id)
    return (await tx.execute(query)).first() is not None


async def explain(
    tx: Transaction,
    kind: FindingKind,
    source: Source,
    transaction_id: str,
    note: str,
    now: datetime,
) -> None:
    """Close a finding that has explained itself, if there is one."""
    query = select(findings).filter_by(kind=kind, source=source, transaction_id=transaction_id)
    found = rows.read_first(Finding, await tx.execute(query))
    if found is not None:
        await close(tx, found, note, Actor.RECONCILIATION, now)


async def close(tx: Transaction, finding: Finding, note: str, actor: Actor, now: datetime) -> bool:
    """Close a finding; false if it is closed already."""
    statement = (
        update(findings).where(findings.c.id == finding.id, _OPEN).values(closed_at=now, note=note)
    )
    if (await tx.execute(statement)).rowcount != 1:
        return False
    detail = {"kind": finding.kind, "transactionId": finding.transaction_id, "note": note}
    await journal.write(tx, finding.payment_hash, Step(now, "finding closed", actor, detail))
    return True


async def find(tx: Transaction, finding_id: int) -> Finding | None:
    """The finding of that id."""
    query = select(findings).where(findings.c.id == finding_id)
    return rows.read_first(Finding, await tx.execute(query))


async def listed(tx: Transaction, state: FindingState, after: int, limit: int) -> list[Finding]:
    """Some findings, oldest first, from the one after `after` on."""
    standing = _OPEN if state is FindingState.OPEN else findings.c.closed_at.is_not(None)
    query = select(findings).where(findings.c.id > after, standing)
    return rows.read_all(Finding, await tx.execute(query.order_by(findings.c.id).limit(limit)))


async def counts(tx: Transaction) -> Mapping[FindingKind, int]:
    """How many are open, of each kind."""
    query = select(findings.c.kind, func.count()).where(_OPEN).group_by(findings.c.kind)
    found = {row[0]: row[1] for row in await tx.execute(query)}
    return {kind: found.get(kind, 0) for kind in FindingKind}


async def count(tx: Transaction) -> int:
    """How many are open, of all kinds."""
    query = select(func.count()).select_from(findings).where(_OPEN)
    return int((await tx.execute(query)).scalar_one())


async def difference(tx: Transaction, source: Source | None = None) -> int:
    """By how many satoshis a ledger, or all, and the books differ, until somebody closes it."""
    total = func.coalesce(func.sum(findings.c.amount), 0)
    query = select(total).where(_OPEN, findings.c.kind.in_(DIFFERENCES))
    mine = query if source is None else query.filter_by(source=source)
    return int((await tx.execute(mine)).scalar_one())
