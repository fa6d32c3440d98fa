"""The judge: the ledgers say what has happened, and our database only what an operator sees.

What is promised, by the numbers of the verdicts:
I1 each payment is forwarded, or shown as held; I2 at most once; I3 with all that was received, and
nothing else; I4 never before it was received; I5 an end is final; I6 `forwarded` has its SEND;
I7 the page learns the end; I8 the subscription is open while something is pending, and only then;
I9 no secret is told or kept; I10 Blink's limits are kept; I11 recovering again, and I12 reconciling
a clean ledger, changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from pydantic import SecretStr

from forwarder.model.keyring import Keyring
from forwarder.model.report import Report
from forwarder.model.units import PaymentHash
from tests.faults import books, clock
from tests.faults.books import Entry
from tests.faults.network import CREATE
from tests.faults.world import SECRETS, World, errors, said

END: Final = datetime.max.replace(tzinfo=UTC)
SETTLE_SECONDS: Final = 2_400.0
FINAL: Final = ("forwarded", "resolved")
EXPIRING: Final = timedelta(seconds=20)  # longer than reading the ledger twice takes


class Verdict(AssertionError):
    """A promise was broken; says which, and what there is to see."""


async def settle(world: World) -> None:
    """Let time pass until every payment is forwarded, or nothing changes any more."""
    pause, until = 1.0, asyncio.get_running_loop().time() + SETTLE_SECONDS
    while asyncio.get_running_loop().time() < until:
        await asyncio.sleep(pause)
        if not unfinished(world):
            return
        if _held(world):
            await world.replay()
        pause = min(pause * 1.5, 30.0)


def unfinished(world: World) -> list[str]:
    """The payments that have not arrived, or of which we do not know it."""
    sent = _sent_names(world)
    query = "SELECT payment_hash FROM payments WHERE invoice_id IS NOT NULL"
    known = {name for (name,) in world.files.read(query)}
    late = [
        receipt.payment_hash
        for receipt in books.income(world)
        if receipt.payment_hash not in known or not _forwards_of(receipt, sent)
    ]
    rows = world.files.read(
        "SELECT payment_hash FROM forwards WHERE state NOT IN ('forwarded', 'resolved')"
    )
    return late + [name for (name,) in rows]


def pending(world: World) -> bool:
    """Whether an invoice is waited for."""
    return bool(world.files.read("SELECT 1 FROM invoices WHERE state = 'pending' LIMIT 1"))


async def judge(world: World) -> None:
    """Everything that is promised at rest."""
    broken = sorted(_findings(world)) or [finding async for finding in _reconciled(world)]
    if broken:
        raise Verdict("; ".join(broken))


def _findings(world: World) -> Iterator[str]:
    world.sandbox.verify()
    yield from _forwarded_once(world)
    yield from _solvent(world)
    yield from _final(world)
    yield from _proven(world)
    yield from _told(world)
    yield from _limits(world)
    yield from _secret(world)
    yield from _busy(world)


def _forwarded_once(world: World) -> Iterator[str]:
    """I1, I2, I3."""
    sent = _sent_names(world)
    for receipt in books.income(world):
        sends = _forwards_of(receipt, sent)
        if not sends:
            yield f"I1: {receipt.payment_hash} was never forwarded"
        if len(sends) > 1:
            yield f"I2: {receipt.payment_hash} was forwarded {len(sends)} times"
        if sends and sum(send.amount for send in sends) != receipt.amount:
            yield f"I3: {receipt.payment_hash} received {receipt.amount}, sent {sends}"
    twice = Counter(send.payment_hash for send in books.sends(world))
    yield from (f"I2: payout {name} paid twice" for name, count in twice.items() if count > 1)
    known = {name for stems in _stems(world).values() for name in stems}
    strange = [send for send in books.sends(world) if send.stem not in known]
    yield from (f"I3: {send.name} pays for nothing that was received" for send in strange)


def _solvent(world: World) -> Iterator[str]:
    """I4, at every moment and for every wallet: in the order of its own ledger."""
    names = {name: payment for payment, stems in _stems(world).items() for name in stems}
    for ledger in books.ledgers(world):
        owed: defaultdict[str, int] = defaultdict(int)
        for entry in ledger:
            if not entry.is_send:
                owed[entry.payment_hash] += entry.amount
                continue
            payment = names.get(entry.stem, "")
            owed[payment] -= entry.amount
            if owed[payment] < 0:
                yield f"I4: {entry.name} was sent before it was received"


def _final(world: World) -> Iterator[str]:
    """I5, by what the database itself has watched."""
    for number, was, became in world.files.read("SELECT * FROM watched"):
        if was in FINAL:
            yield f"I5: forward {number} went from {was} to {became}"


def _proven(world: World) -> Iterator[str]:
    """I6."""
    sends = {send.id: send.amount for send in books.sends(world)}
    query = "SELECT transaction_id, amount FROM forwards WHERE state = 'forwarded'"
    for name, amount in world.files.read(query):
        if sends.get(name) != amount:
            yield f"I6: there is no send {name} of {amount}"


def _told(world: World) -> Iterator[str]:
    """I7: whoever is connected knows the end.

    After a rebuild a sale has its name at Blink: its page cannot ask for it by the till's own.
    """
    known = {name for (name,) in world.files.read("SELECT external_id FROM invoices")}
    paid = {receipt.payment_hash for receipt in books.income(world)}
    done = {name for (name,) in world.files.read(
        "SELECT payment_hash FROM forwards WHERE state = 'forwarded'"
    )}  # fmt: skip
    for sale in world.sales:
        if sale.invoice is None or sale.order.external_id not in known:
            continue
        wanted = [
            kind
            for kind, names in (("payment", paid), ("forwarded", done))
            if sale.invoice.payment_hash in names and sale.when(kind) is None
        ]
        if wanted:
            yield f"I7: the page of {sale.order.external_id} was not told {wanted}: {sale.told}"


def _limits(world: World) -> Iterator[str]:
    """I10, and what the network has seen."""
    yield from (f"I10: {what}" for what in world.network.broken)
    # The budget is kept in the database: with an older one it begins anew.
    for begin, end in pairwise([clock.BEGINNING, *world.restored_at, END]):
        times = [at for at in world.sandbox.handshakes if begin <= at < end]
        if _most_in(_MINUTE, times) > 10:
            yield "I10: more than 10 handshakes in a minute"
    made: defaultdict[str | None, list[datetime]] = defaultdict(list)
    for call in world.sandbox.calls:
        if call.operation == CREATE:
            made[call.account_id].append(call.at)
    if any(_most_in(_MINUTE, times) > 60 for times in made.values()):
        yield "I10: more than 60 invoices in a minute"


def _busy(world: World) -> Iterator[str]:
    """I15: whatever does not get on does not keep anybody busy either."""
    steps: defaultdict[str, list[datetime]] = defaultdict(list)
    for payment_hash, at in world.files.read(_STEPS):
        steps[payment_hash].append(datetime.fromisoformat(at))
    for name, times in steps.items():
        if (most := _most_in(_BUSY, times)) > _BUSY_STEPS:
            yield f"I15: {most} steps of {name} in {_BUSY}"


def _secret(world: World) -> Iterator[str]:
    """I9: of what was said, and of the bytes on the disk."""
    text = "\n".join(said)
    for canary in world.canaries():
        if canary in text:
            yield f"I9: {canary[:12]}... was logged or told"
        if world.files.holds(canary):
            yield f"I9: {canary[:12]}... is in the database"


def _most_in(window: timedelta, times: Sequence[datetime]) -> int:
    recent: deque[datetime] = deque()
    most = 0
    for at in sorted(times):
        while recent and recent[0] <= at - window:
            recent.popleft()
        recent.append(at)
        most = max(most, len(recent))
    return most


async def _reconciled(world: World) -> AsyncIterator[str]:
    """I11 and I12: reading the ledgers once more finds nothing and changes nothing."""
    await world.recover()
    for finding in (*_refunded(world), *_unexplained(world)):
        yield finding
    await _let_expire(world)
    before = _rows(world)
    for name, report in (("I12", await world.reconcile()), ("I11", await world.recover())):
        if not isinstance(report, Report) or not _is_clean(world, report):
            yield f"{name}: {report}"
        if _rows(world) != before:
            yield f"{name}: reading a clean ledger has changed the database"


async def _let_expire(world: World) -> None:
    """Wait for what would end meanwhile, for that changes the database too."""
    query = "SELECT 1 FROM invoices WHERE state = 'pending' AND expires_at < ?"
    while world.files.read(query, str((world.now() + EXPIRING).replace(tzinfo=None))):
        await asyncio.sleep(1)


def _refunded(world: World) -> Iterator[str]:
    """I3: what has come back is booked, once, and is no income."""
    booked = dict(world.files.read("SELECT transaction_id, amount FROM refunds"))
    for refund in books.refunds(world):
        if booked.get(refund.id) != refund.amount:
            yield f"I3: refund {refund.id} of {refund.amount} is not booked: {booked}"
        if world.files.read("SELECT 1 FROM payments WHERE transaction_id = ?", refund.id):
            yield f"I3: refund {refund.id} was taken for income"


def _unexplained(world: World) -> Iterator[str]:
    """I14: whatever a ledger shows is explained, or a finding until a person closes it."""
    known = {row[0] for query in _EXPLAINED for row in world.files.read(query)}
    shown = {entry.id for ledger in books.ledgers(world) for entry in ledger}
    yield from (f"I14: {name} has no explanation, and is no finding" for name in shown - known)


def _is_clean(world: World, report: Report) -> bool:
    """Whether nothing is left to do, and the ledger differs by what strangers have done alone."""
    drift = report.drift_sats - sum(world.strange.values())
    return replace(report, drift_sats=drift).is_clean


def trace(world: World) -> list[str]:
    """All that one can compare of two runs: our journal, the calls, and the ledgers."""
    journal = world.files.read("SELECT at, payment_hash, step, actor, detail FROM journal")
    calls = [(c.operation, c.at, c.account_id, c.variables, c.outcome) for c in world.sandbox.calls]
    blink = world.sandbox.transactions(world.pos.btc_wallet_id)
    node = (*world.node.calls, *world.node.books.outgoing)
    return [repr(line) for line in (*journal, *calls, *blink, *node)]


def fingerprint(world: World) -> str:
    """The trace in short."""
    return hashlib.sha256("\n".join(trace(world)).encode()).hexdigest()


def story(world: World) -> str:
    """What an engineer wants to see of a run that went wrong."""
    begun = [f"    {line}" for line in trace(world)]
    told = [f"    {sale.order.external_id}: {sale.told}" for sale in world.sales]
    rows = [f"    {row}" for row in world.files.read("SELECT * FROM forwards")]
    logged = [f"    {error}" for error in errors]
    parts = ("trace", begun), ("pages", told), ("forwards", rows), ("errors", logged)
    return "\n".join(f"  {name}:\n" + "\n".join(lines) for name, lines in parts)


# What lies in the books, by name


def _sent_names(world: World) -> dict[str, list[Entry]]:
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for send in books.sends(world):
        found[send.stem].append(send)
    return found


def _forwards_of(receipt: Entry, sent: dict[str, list[Entry]]) -> list[Entry]:
    stems = _KEYRING.forward_prefixes(PaymentHash(receipt.payment_hash), 0)
    return [send for stem in stems for send in sent.get(stem, ())]


def _stems(world: World) -> dict[str, tuple[str, ...]]:
    names = [receipt.payment_hash for receipt in books.income(world)]
    return {name: _KEYRING.forward_prefixes(PaymentHash(name), 0) for name in names}


def _held(world: World) -> bool:
    return bool(world.files.read("SELECT 1 FROM forwards WHERE state = 'held' LIMIT 1"))


_MINUTE: Final = timedelta(minutes=1)
_BUSY, _BUSY_STEPS = timedelta(seconds=10), 100
_STEPS: Final = "SELECT payment_hash, at FROM journal WHERE payment_hash IS NOT NULL"
_EXPLAINED: Final = (
    "SELECT transaction_id FROM findings WHERE closed_at IS NULL",
    "SELECT transaction_id FROM payments WHERE invoice_id IS NOT NULL",
    "SELECT transaction_id FROM forwards WHERE state = 'forwarded'",
)
_TABLES: Final = ("payments", "forwards", "invoices", "journal", "messages", "refunds", "findings")


def _rows(world: World) -> list[list[tuple[object, ...]]]:
    return [world.files.read(f"SELECT * FROM {table}") for table in _TABLES]  # noqa: S608


_KEYRING: Final = Keyring(tuple(SecretStr(secret) for secret in reversed(SECRETS)))
