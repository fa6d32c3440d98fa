"""The keys and names that are derived from the service's one secret."""

from __future__ import annotations

import re

import pytest
from cryptography.fernet import InvalidToken
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from forwarder.model.keyring import Keyring
from forwarder.model.merchant import Merchant
from forwarder.model.units import PaymentHash
from tests.model.samples import HASH

BLINKS_EXTERNAL_ID = re.compile(r"[a-z0-9_-]{1,100}")

OLD = Keyring((SecretStr("old"),))
NEW = Keyring((SecretStr("new"),))
ROTATING = Keyring((SecretStr("new"), SecretStr("old")))

HASHES = st.binary(min_size=32, max_size=32).map(lambda octets: PaymentHash(octets.hex()))


@given(st.text(), st.text(), st.integers(1, 10**9))
def test_the_name_of_a_sale_is_one_that_blink_takes(
    merchant: str, external_id: str, attempt: int
) -> None:
    assert BLINKS_EXTERNAL_ID.fullmatch(OLD.sale_name(merchant, external_id, attempt))


@given(HASHES, st.integers(0, 10**6), st.integers(1, 10**9))
def test_the_name_of_a_forward_is_one_that_blink_takes(
    payment_hash: PaymentHash, position: int, attempt: int
) -> None:
    assert BLINKS_EXTERNAL_ID.fullmatch(OLD.forward_name(payment_hash, position, attempt))


def test_every_forward_and_attempt_has_a_name_of_its_own_that_stays_the_same() -> None:
    wanted = [
        (payment_hash, position, attempt)
        for payment_hash in (HASH, PaymentHash("ef" * 32))
        for position in range(3)
        for attempt in range(1, 4)
    ]
    names = [OLD.forward_name(*one) for one in wanted]
    assert len(set(names)) == len(wanted)
    assert names == [Keyring((SecretStr("old"),)).forward_name(*one) for one in wanted]


def test_every_sale_and_attempt_has_a_name_of_its_own() -> None:
    wanted = [
        (merchant, external_id, attempt)
        for merchant in ("alice", "bob", "alice\norder")
        for external_id in ("order", "order\n1", "1")
        for attempt in (1, 11)
    ]
    assert len({OLD.sale_name(*one) for one in wanted}) == len(wanted)


def test_the_sales_of_a_merchant_are_recognised_without_naming_it() -> None:
    first, second = OLD.sale_name("alice", "a", 1), OLD.sale_name("alice", "b", 1)
    assert first.rsplit("-", 1)[0] == second.rsplit("-", 1)[0]
    assert first.rsplit("-", 1)[0] != OLD.sale_name("bob", "a", 1).rsplit("-", 1)[0]
    assert "alice" not in first


def test_the_merchant_of_a_sale_is_known_by_its_name_under_any_value_of_the_secret() -> None:
    alice, bob = (Merchant(n, name, None, enabled=True) for n, name in enumerate(("alice", "bob")))
    for made_with in (OLD, NEW):
        name = made_with.sale_name("bob", "order", 1)
        assert ROTATING.seller(name, [alice, bob]) is bob
        assert ROTATING.seller(name, [alice]) is None
    assert ROTATING.seller(OLD.forward_name(HASH, 0, 1), [alice, bob]) is None
    assert ROTATING.seller(None, [alice, bob]) is None


def test_names_tell_nothing_without_the_secret() -> None:
    assert OLD.forward_name(HASH, 0, 1) != NEW.forward_name(HASH, 0, 1)
    assert HASH not in OLD.forward_name(HASH, 0, 1)


def test_a_new_secret_makes_new_things_and_the_old_one_still_opens_old_ones() -> None:
    assert ROTATING.forward_name(HASH, 0, 1) == NEW.forward_name(HASH, 0, 1)
    sealed = OLD.fernet().encrypt(b"kept")
    assert ROTATING.fernet().decrypt(sealed) == b"kept"
    with pytest.raises(InvalidToken):
        NEW.fernet().decrypt(sealed)
    assert NEW.fernet().decrypt(ROTATING.fernet().encrypt(b"new")) == b"new"


def test_each_purpose_has_keys_of_its_own_newest_first() -> None:
    assert ROTATING.keys("pages") == [*NEW.keys("pages"), *OLD.keys("pages")]
    assert len({*ROTATING.keys("pages"), *ROTATING.keys("pins")}) == 4
    assert all(len(key) == 32 for key in ROTATING.keys("pages"))


def test_a_keyring_does_not_show_its_secrets() -> None:
    assert "old" not in repr(ROTATING)
