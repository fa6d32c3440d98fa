"""Page tokens open one invoice, for as long as they are good, and nothing else."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from forwarder.model.invoice import PAGE_OUTLIVES_INVOICE, Invoice
from forwarder.model.keyring import Keyring
from forwarder.web.tokens import PageTokens
from tests.web.fakes import NOW, FakeService

OLD, NEW = SecretStr("o" * 32), SecretStr("n" * 32)
KEYRING = Keyring((NEW,))
TOKENS = PageTokens(KEYRING)


@pytest.fixture
def invoice() -> Invoice:
    return FakeService().sale()


def forged(claims: dict[str, Any], key: bytes = KEYRING.keys("page tokens")[0]) -> str:
    good = {"sub": "1", "aud": "page", "iat": NOW, "exp": NOW + timedelta(days=1)}
    kept = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return jwt.encode(kept, key, algorithm="HS256")


def unsigned() -> str:
    """A token that says of itself that it needs no signature."""
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return ".".join([header, forged({}).split(".")[1], ""])


def test_a_token_names_its_invoice(invoice: Invoice) -> None:
    assert TOKENS.invoice_id(TOKENS.issue(invoice, NOW), NOW) == invoice.id
    assert TOKENS.invoice_id(forged({}), NOW) == 1


def test_a_token_outlives_its_invoice_by_a_week(invoice: Invoice) -> None:
    token = TOKENS.issue(invoice, NOW)
    end = invoice.expires_at + PAGE_OUTLIVES_INVOICE
    assert TOKENS.invoice_id(token, end - timedelta(seconds=1)) == invoice.id
    assert TOKENS.invoice_id(token, end) is None


def test_time_is_the_services_own(invoice: Invoice) -> None:
    """Wherever the machine's clock stands."""
    for years in (-20, 20):
        then = NOW + timedelta(days=365 * years)
        token = forged({"iat": then, "exp": then + timedelta(days=1)})
        assert TOKENS.invoice_id(token, then) == invoice.id


@pytest.mark.parametrize(
    "token",
    [
        forged({"aud": "operator"}),
        forged({"aud": ["page", "operator"]}),
        forged({"aud": None}),
        forged({"exp": None}),
        forged({"iat": None}),
        forged({"sub": None}),
        unsigned(),
        forged({}, key=KEYRING.keys("keys at rest")[0]),
        forged({}, key=b"x" * 32),
        forged({})[:-4] + "AAAA",
        "",
        "a.b.c",
        "...",
        "\N{PILE OF POO}",
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_we_did_not_sign_for_a_page_opens_nothing(token: str) -> None:
    assert TOKENS.invoice_id(token, NOW) is None


def test_a_token_survives_the_rotation_of_its_key(invoice: Invoice) -> None:
    token = PageTokens(Keyring((OLD,))).issue(invoice, NOW)
    rotating = PageTokens(Keyring((NEW, OLD)))
    assert rotating.invoice_id(token, NOW) == invoice.id
    assert PageTokens(Keyring((NEW,))).invoice_id(token, NOW) is None
    assert PageTokens(Keyring((NEW,))).invoice_id(rotating.issue(invoice, NOW), NOW) == invoice.id
