"""What a person can mean by what they type, and where a sale stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.forward import ForwardState
from forwarder.model.sale import Sale, Search, Standing, standing_of
from forwarder.model.units import MAX_SATS


@given(st.text(max_size=20))
def test_any_text_can_be_searched_for(text: str) -> None:
    search = Search(text)
    assert search.prefix is None or text.lower() == search.prefix
    assert search.amount is None or 0 < search.amount <= MAX_SATS
    assert search.names(text)


@pytest.mark.parametrize(
    ("text", "prefix", "amount"),
    [
        ("abc", None, None),
        ("ABCD", "abcd", None),
        ("2100", "2100", 2_100),
        ("21", None, 21),
        ("0", None, None),
        ("-5", None, None),
        ("2.5", None, None),
        ("99999999999999", "99999999999999", None),
        ("٢١", None, None),
        ("a" * 65, None, None),
    ],
)
def test_a_text_means_a_hash_an_amount_both_or_neither(
    text: str, prefix: str | None, amount: int | None
) -> None:
    assert (Search(text).prefix, Search(text).amount) == (prefix, amount)


@given(st.lists(st.sampled_from(ForwardState), min_size=1))
def test_a_sale_is_forwarded_only_when_all_of_it_is(states: list[ForwardState]) -> None:
    standing = standing_of(states)
    assert (standing is Standing.FORWARDED) == (set(states) == {ForwardState.FORWARDED})
    assert (standing is Standing.HELD) == (ForwardState.HELD in states)
    assert standing in set(map(Standing, states))


def test_a_sale_of_nothing_is_no_sale() -> None:
    with pytest.raises(AssertionError, match="an invoice, a payment, or both"):
        _ = Sale(None, None, (), {}).payment_hash
