"""Days begin where people live, and have the hours that they have there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.calendar import MAX_SLOTS, ZONES, Unit, midnight, slots, zone_named

BERLIN = zone_named("Europe/Berlin")
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
ZONE = st.sampled_from(sorted(ZONES)).map(zone_named)


@given(start=MOMENTS, length=st.timedeltas(timedelta(0), timedelta(days=40)), zone=ZONE)
def test_days_follow_each_other_without_a_gap(
    start: datetime, length: timedelta, zone: object
) -> None:
    found = slots(start, start + length, Unit.DAY, zone)  # type: ignore[arg-type]
    assert all(one.end == after.start for one, after in pairwise(found))
    assert all(one.start < one.end for one in found)
    if length:
        assert found[0].start <= start
        assert found[-1].start < start + length <= found[-1].end


@given(moment=MOMENTS, zone=ZONE)
def test_a_day_has_begun_and_not_long_ago(moment: datetime, zone: object) -> None:
    begun = midnight(moment, zone)  # type: ignore[arg-type]
    assert timedelta(0) <= moment - begun <= timedelta(hours=25)


def test_the_days_on_which_clocks_are_set_have_23_and_25_hours() -> None:
    spring = slots(*_day(2026, 3, 29), Unit.DAY, BERLIN)
    autumn = slots(*_day(2026, 10, 25), Unit.DAY, BERLIN)
    assert [one.end - one.start for one in spring] == [timedelta(hours=23)]
    assert [one.end - one.start for one in autumn] == [timedelta(hours=25)]
    assert len(slots(spring[0].start, spring[0].end, Unit.HOUR, BERLIN)) == 23


def test_hours_are_those_of_the_zone() -> None:
    noon = datetime(2026, 8, 1, 12, 10, tzinfo=UTC)
    (one,) = slots(noon, noon + timedelta(minutes=1), Unit.HOUR, zone_named("Asia/Kathmandu"))
    assert one.start == datetime(2026, 8, 1, 11, 15, tzinfo=UTC)


@pytest.mark.parametrize("unit", Unit)
def test_of_a_long_time_one_sees_the_end(unit: Unit) -> None:
    end = datetime(2026, 8, 1, tzinfo=UTC)
    found = slots(datetime(1990, 1, 1, tzinfo=UTC), end, unit, BERLIN)
    assert len(found) == MAX_SLOTS
    assert found[-1].start < end <= found[-1].end
    assert slots(end, end, unit, BERLIN) == []


@pytest.mark.parametrize("name", ["", "Mars", "../etc/passwd", "Europe", "/etc/localtime"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        zone_named(name)


def _day(year: int, month: int, day: int) -> tuple[datetime, datetime]:
    noon = datetime(year, month, day, 12, tzinfo=UTC)
    return noon, noon + timedelta(minutes=1)
