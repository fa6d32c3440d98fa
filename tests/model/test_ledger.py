"""What the entries of Blink's ledger prove."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forwarder.model.ledger import (
    Direction,
    Entry,
    EntryStatus,
    Paid,
    Proof,
    Underway,
    Unpaid,
    income,
    proof_of,
)
from forwarder.model.payment import Receipt, shares_of
from forwarder.model.units import PaymentHash, Sats
from tests.model.samples import HASH, SATS, entry

SEND, RECEIVE = Direction.SEND, Direction.RECEIVE
SUCCESS, PENDING, FAILURE = EntryStatus.SUCCESS, EntryStatus.PENDING, EntryStatus.FAILURE

ENTRIES = st.builds(
    entry,
    id=st.text(min_size=1),
    direction=st.sampled_from(Direction),
    status=st.sampled_from(EntryStatus),
)


def send(status: EntryStatus, name: str = "send") -> Entry:
    return entry(id=name, direction=SEND, status=status, amount=-SATS)


def back(status: EntryStatus) -> Entry:
    """The credit of a send that was reverted, or any receipt."""
    return entry(id="back", direction=RECEIVE, status=status)


@pytest.mark.parametrize(
    ("entries", "proof"),
    [
        ([], Unpaid()),
        ([send(SUCCESS)], Paid("send", HASH)),
        ([send(PENDING)], Underway()),
        ([send(FAILURE)], Unpaid()),
        # A failed payment through Lightning: the debit and its reversal.
        ([back(FAILURE), send(FAILURE)], Unpaid()),
        # Failed, then tried again with success, in either order.
        ([send(SUCCESS, "second"), back(FAILURE), send(FAILURE)], Paid("second", HASH)),
        ([send(FAILURE), back(FAILURE), send(SUCCESS, "second")], Paid("second", HASH)),
        # Failed, then tried again, and that one is still going.
        ([send(PENDING), back(FAILURE), send(FAILURE)], Underway()),
        ([send(PENDING), send(SUCCESS, "second")], Paid("second", HASH)),
        # What has come in is no proof of what went out: a refund, or an income of that hash.
        ([back(SUCCESS)], Unpaid()),
        ([back(PENDING)], Unpaid()),
        ([back(SUCCESS), send(SUCCESS)], Paid("send", HASH)),
    ],
)
def test_only_a_send_of_ours_proves_anything(entries: list[Entry], proof: Proof) -> None:
    assert proof_of(entries) == proof


@given(st.lists(ENTRIES), st.randoms())
def test_the_proof_does_not_depend_on_the_order(entries: list[Entry], random: Any) -> None:  # noqa: ANN401
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert type(proof_of(shuffled)) is type(proof_of(entries))


@given(st.lists(ENTRIES), st.sampled_from([FAILURE, SUCCESS, PENDING]))
def test_receipts_change_no_proof(entries: list[Entry], status: EntryStatus) -> None:
    assert proof_of([back(status), *entries]) == proof_of(entries)


def test_a_settled_receipt_is_income_with_what_was_received() -> None:
    assert entry(id="tx", amount=1_234).receipt() == Receipt(HASH, "tx", Sats(1_234))


@pytest.mark.parametrize(
    "changes",
    [
        {"direction": SEND, "amount": -SATS},
        {"direction": SEND},
        {"status": PENDING},
        {"status": FAILURE},
        {"payment_hash": None},
        {"amount": 0},
        {"amount": -1},
    ],
)
def test_anything_else_is_no_income(changes: dict[str, Any]) -> None:
    assert entry(**changes).receipt() is None


@given(st.integers(1, 10**13), st.integers(1, 10**6))
@example(29, 1)  # floating bitcoins make 28 of it
def test_the_shares_of_a_payment_add_up_to_it(received: int, merchant_id: int) -> None:
    shares = shares_of(Sats(received), merchant_id)
    assert sum(share.amount for share in shares) == received
    assert all(share.amount > 0 for share in shares)
    positions = [share.position for share in shares]
    assert len(set(positions)) == len(positions)


def test_what_comes_back_is_no_income() -> None:
    earned = entry(id="earned", direction=RECEIVE, payment_hash=PaymentHash("f" * 64))
    assert income([back(SUCCESS), earned, send(SUCCESS)]) == [earned.receipt()]
