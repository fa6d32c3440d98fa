"""BOLT11 invoices with letters, words and fields changed, also under a checksum that is right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Final

from coincurve import PrivateKey

from forwarder.model import bolt11
from forwarder.model.bolt11 import Bolt11, Bolt11Error
from forwarder.model.units import MAX_SATS
from forwarder.sandbox import bech32
from forwarder.sandbox import bolt11 as written
from forwarder.sandbox.bolt11 import Terms
from tests.hostile.blink import judge_reason

KEY: Final = PrivateKey(b"\x07" * 32)
PREIMAGE: Final = "cd" * 32
PAYMENT_HASH: Final = hashlib.sha256(bytes.fromhex(PREIMAGE)).hexdigest()
ISSUED_AT: Final = datetime(2026, 8, 1, 12, tzinfo=UTC)
SATS: Final = (None, 1, 21, 1_000, 123_456, 10**8, 10**13)
LETTERS: Final = bech32.CHARSET + "1bioB .\x00\u0661\u00df\U0001f4a9"
PREFIXES: Final = ("lnbc", "lnbcrt", "lntbs", "lntb", "lnsb", "ln", "", "lnBC", "lnbcr", "bc")
AMOUNTS: Final = ("", "0", "00", "1", "01", "9" * 20, "9" * 5_000, "-1", "1.5", "\u0661", "1e3")
UNITS: Final = ("", "m", "u", "n", "p", "k", "mm", "x")


@cache
def specimen(sats: int | None, preimage: str = PREIMAGE) -> str:
    """A good invoice."""
    payment_hash = hashlib.sha256(bytes.fromhex(preimage)).hexdigest()
    terms = Terms(
        "regtest", payment_hash, "11" * 32, sats, "Sale", ISSUED_AT, timedelta(minutes=15)
    )
    return written.encode(terms, KEY)


async def read_invoice(random: Random) -> None:
    """A changed invoice is refused with a `Bolt11Error`, or read as what it says."""
    text = random.choice(_CHANGES)(random, specimen(random.choice(SATS)))
    try:
        found = bolt11.decode(text)
    except Bolt11Error as exc:
        return judge_reason(exc)
    judge(text, found)


def judge(text: str, found: Bolt11) -> None:
    """What was read holds together, and an independent reader has found the same."""
    assert len(found.payment_hash) == 64
    assert found.amount_msat is None or 0 < found.amount_msat <= MAX_SATS * 1000
    assert found.issued_at <= found.expires_at
    try:
        other = written.decode(text).terms
    except Exception:
        return  # one that asks for more: a secret, a signature of somebody's
    assert other.payment_hash == found.payment_hash
    if found.amount_msat is None or found.amount_msat % 1000 == 0:
        assert (other.sats or None) == (found.amount_msat and found.amount_msat // 1000)


def _letters(random: Random, text: str) -> str:
    changed = list(text)
    for _ in range(random.randint(1, 3)):
        changed[random.randrange(len(changed))] = random.choice(LETTERS)
    return "".join(changed)


def _cut(random: Random, text: str) -> str:
    start, end = sorted(random.randrange(len(text) + 1) for _ in range(2))
    return random.choice((text[:end], text[start:], text[:start] + text[end:]))


def _case(random: Random, text: str) -> str:
    return random.choice((text.upper(), text.title(), text.swapcase(), text[:9] + text[9:].upper()))


def _signed(random: Random, text: str) -> str:
    """Other words under a checksum that is right: what is behind it has to be read too."""
    prefix, words = bech32.decode(text)
    return bech32.encode(prefix, random.choice(_WORDS)(random, words))


def _renamed(random: Random, text: str) -> str:
    """Another network and amount, under a checksum that is right."""
    _, words = bech32.decode(text)
    amount = random.choice((*AMOUNTS, str(random.randrange(10**15))))
    prefix = random.choice(PREFIXES) + amount + random.choice(UNITS)
    return bech32.encode(prefix, words)


def _some_words(random: Random, words: Sequence[int]) -> list[int]:
    changed = list(words)
    for _ in range(random.randint(1, 6)):
        changed[random.randrange(len(changed))] = random.randrange(32)
    return changed


def _fewer_words(random: Random, words: Sequence[int]) -> list[int]:
    start, end = sorted(random.randrange(len(words) + 1) for _ in range(2))
    return [*words[:start], *words[end:]]


def _more_words(random: Random, words: Sequence[int]) -> list[int]:
    at = random.randrange(len(words))
    extra = [random.randrange(32) for _ in range(random.choice((1, 3, 50, 500)))]
    return [*words[:at], *extra, *words[at:]]


_WORDS: Final[tuple[Callable[[Random, Sequence[int]], list[int]], ...]] = (
    _some_words,
    _fewer_words,
    _more_words,
)
_CHANGES: Final[tuple[Callable[[Random, str], str], ...]] = (
    _letters,
    _cut,
    _case,
    _signed,
    _signed,
    _signed,
    _renamed,
    _renamed,
)
