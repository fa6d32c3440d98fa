"""Hours and days, as people count them where they live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

MAX_SLOTS: Final = 200


class Unit(StrEnum):
    """How long a slot is."""

    HOUR = "hour"
    DAY = "day"


ZONES: Final = frozenset(available_timezones())

_ABOUT: Final = {Unit.HOUR: timedelta(hours=1), Unit.DAY: timedelta(days=1)}
SPAN: Final = {Unit.HOUR: timedelta(hours=24), Unit.DAY: timedelta(days=30)}
"""How far back one looks who does not say how far."""


@dataclass(frozen=True, slots=True)
class Slot:
    """An hour or a day: from its start on, and before its end."""

    start: datetime
    end: datetime


def zone_named(name: str) -> ZoneInfo:
    """A time zone by its name, like `Europe/Berlin`. Raises `ValueError`."""
    if name not in ZONES:
        raise ValueError("must be the name of a time zone, like Europe/Berlin")
    return ZoneInfo(name)


def midnight(moment: datetime, zone: ZoneInfo) -> datetime:
    """When the day of a moment has begun."""
    return _midnight(moment.astimezone(zone), zone)


def slots(start: datetime, end: datetime, unit: Unit, zone: ZoneInfo) -> list[Slot]:
    """The whole hours or days that have a part between two moments: the last `MAX_SLOTS`."""
    if start >= end:
        return []
    begun = max(start, end - MAX_SLOTS * _ABOUT[unit])
    found = takewhile(lambda slot: slot.start < end, _slots_from(begun, unit, zone))
    return [*found][-MAX_SLOTS:]


def _slots_from(start: datetime, unit: Unit, zone: ZoneInfo) -> Iterator[Slot]:
    begun = _hour(start, zone) if unit is Unit.HOUR else midnight(start, zone)
    while True:
        after = begun + timedelta(hours=1) if unit is Unit.HOUR else _next_midnight(begun, zone)
        yield Slot(begun, after)
        begun = after


def _hour(moment: datetime, zone: ZoneInfo) -> datetime:
    local = moment.astimezone(zone)
    return moment - timedelta(
        minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )


def _next_midnight(begun: datetime, zone: ZoneInfo) -> datetime:
    # A day has 23 to 25 hours, but 36 hours after its midnight the next one has always begun.
    return _midnight(begun.astimezone(zone) + timedelta(hours=36), zone)


def _midnight(local: datetime, zone: ZoneInfo) -> datetime:
    return datetime.combine(local.date(), time(), zone).astimezone(UTC)
