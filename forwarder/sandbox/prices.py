"""The exchange rate of the sandbox, which never moves, and the shapes in which Blink tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

SATS_PER_CENT = 10  # one bitcoin at 100 000 dollars
OFFSET = 12
BASE_PER_CENT = 10**OFFSET


def cents_of(sats: int) -> int:
    """Cents credited for sats: rounded down, so that small change never grows."""
    return sats // SATS_PER_CENT


def cents_for(sats: int) -> int:
    """Cents to be debited so that they cover the sats."""
    return -(-sats // SATS_PER_CENT)


def sats_of(cents: int) -> int:
    return cents * SATS_PER_CENT


@dataclass(frozen=True, slots=True)
class UnitPrice:
    base: int
    offset: int = OFFSET
    currency_unit: str = "USDCENT"

    @property
    def formatted_amount(self) -> str:
        return f"{self.base / 10**self.offset}"


SAT_PRICE = UnitPrice(BASE_PER_CENT // SATS_PER_CENT)
CENT_PRICE = UnitPrice(BASE_PER_CENT)


@dataclass(frozen=True, slots=True)
class Price:
    """The legacy event, sent beside the real one to accounts that display dollars."""

    typename: ClassVar[str] = "Price"
    base: int = SAT_PRICE.base
    offset: int = SAT_PRICE.offset
    currency_unit: str = SAT_PRICE.currency_unit
    formatted_amount: str = SAT_PRICE.formatted_amount


@dataclass(frozen=True, slots=True)
class DisplayCurrency:
    id: str = "USD"
    symbol: str = "$"
    name: str = "US Dollar"
    flag: str = "🇺🇸"
    fraction_digits: int = 2


@dataclass(frozen=True, slots=True)
class RealtimePrice:
    typename: ClassVar[str] = "RealtimePrice"
    timestamp: datetime
    id: str = "USD"
    denominator_currency: str = "USD"
    denominator_currency_details: DisplayCurrency = field(default_factory=DisplayCurrency)
    btc_sat_price: UnitPrice = SAT_PRICE
    usd_cent_price: UnitPrice = CENT_PRICE
