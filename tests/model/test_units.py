"""Memos that Blink accepts, and what names a merchant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.merchant import fingerprint, is_name
from forwarder.model.units import MAX_MEMO_BYTES, fit_memo


@given(st.text(st.characters(codec="utf-8"), max_size=800))
def test_a_memo_is_the_longest_beginning_that_fits(text: str) -> None:
    memo = fit_memo(text)
    assert text.startswith(memo)
    assert len(memo.encode()) <= MAX_MEMO_BYTES
    if memo != text:
        assert len(text[: len(memo) + 1].encode()) > MAX_MEMO_BYTES


@pytest.mark.parametrize("letter", ["a", "é", "€", "😀"])
def test_a_memo_is_cut_between_characters(letter: str) -> None:
    memo = fit_memo(letter * 1_000)
    assert set(memo) == {letter}
    assert MAX_MEMO_BYTES - len(memo.encode()) < len(letter.encode())


@pytest.mark.parametrize("name", ["a", "Café Zürich", "x" * 64, "a b", "店"])
def test_a_printable_name_names_a_merchant(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", " a", "a ", "x" * 65, "a\nb", "a\0b", "a\u2028b", "\u200b", "a\x7f"]
)
def test_anything_else_names_none(name: str) -> None:
    assert not is_name(name)


@given(st.text(), st.text())
def test_a_fingerprint_recognises_a_token_and_does_not_contain_it(one: str, other: str) -> None:
    assert (fingerprint(one) == fingerprint(other)) is (one == other)
    assert len(fingerprint(one)) == 64
    assert len(one) < 20 or one not in fingerprint(one)
