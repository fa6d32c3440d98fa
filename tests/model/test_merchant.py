"""What names a merchant, and what is kept of its token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.merchant import fingerprint, is_name


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
