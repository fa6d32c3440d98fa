"""The states of invoices and forwards, and the moves between them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model import forward, invoice
from forwarder.model.forward import ForwardState
from forwarder.model.invoice import InvoiceState, Order
from forwarder.model.units import Sats
from tests.model.samples import FORWARD, PAYOUT

# Every move that the architecture allows; a forward can be found paid in any state but a final one.
INVOICE_MOVES = {
    ("pending", "paid"),
    ("pending", "expired"),
    ("pending", "cancelled"),
    ("expired", "paid"),
    ("cancelled", "paid"),
}
FORWARD_MOVES = {
    ("queued", "invoiced"),
    ("invoiced", "sending"),
    ("sending", "forwarded"),
    ("sending", "invoiced"),
    ("invoiced", "queued"),
    ("queued", "held"),
    ("invoiced", "held"),
    ("sending", "held"),
    ("held", "resolved"),
}
REPLAYS = {("held", "queued"), ("held", "invoiced")}
LOST = {("queued", "queued")}  # the text of a payout invoice was lost: the next attempt
FOUND_PAID = {("queued", "forwarded"), ("invoiced", "forwarded"), ("held", "forwarded")}


def test_an_invoice_moves_as_the_architecture_says() -> None:
    moves = {(str(a), str(b)) for a, targets in invoice.MOVES.items() for b in targets}
    assert moves == INVOICE_MOVES
    assert set(invoice.MOVES) == set(InvoiceState)


def test_a_forward_moves_as_the_architecture_says() -> None:
    moves = {(str(a), str(b)) for a, targets in forward.MOVES.items() for b in targets}
    assert moves == FORWARD_MOVES | REPLAYS | LOST | FOUND_PAID
    assert set(forward.MOVES) == set(ForwardState)


@pytest.mark.parametrize("state", [ForwardState.FORWARDED, ForwardState.RESOLVED])
def test_the_ends_of_a_forward_are_final(state: ForwardState) -> None:
    assert not forward.MOVES[state]
    assert state not in forward.OPEN
    assert state in forward.SPENT


def test_money_that_may_have_left_counts_as_spent() -> None:
    assert ForwardState.SENDING in forward.SPENT
    assert ForwardState.QUEUED not in forward.SPENT
    assert {"queued", "invoiced", "sending"} == set(forward.OPEN)


def test_no_move_leads_from_a_state_to_itself_but_the_next_attempt() -> None:
    itself = {state for state, targets in forward.MOVES.items() if state in targets}
    assert itself == {ForwardState.QUEUED}
    assert all(state not in targets for state, targets in invoice.MOVES.items())


@given(st.integers(1, 86_400))
def test_blink_never_ends_an_invoice_before_we_do(seconds: int) -> None:
    order = Order("order", Sats(1), "", seconds)
    at_blink = order.expires_in_minutes * 60
    assert seconds <= at_blink < seconds + 60
    assert order.ends_before_blink is (at_blink > seconds)


def test_a_payout_invoice_is_there_from_the_moment_it_is_made() -> None:
    assert FORWARD.made_payout == PAYOUT
    with pytest.raises(ValueError, match="has no payout invoice"):
        _ = replace(FORWARD, payout=None).made_payout
