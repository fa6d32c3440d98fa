"""The budget of websocket handshakes: never more than Blink's ingress takes."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.handshakes import LIMIT, WINDOW, linger_seconds, wait_seconds
from tests.model.samples import NOW

GAPS = st.lists(st.floats(0, 90) | st.just(0.0) | st.floats(0, 0.01), max_size=60)


def recent(made: list[datetime], now: datetime) -> list[datetime]:
    """What the store says of the last minute."""
    return [at for at in made if now - WINDOW < at <= now]


def budgeted(gaps: list[float]) -> list[datetime]:
    """The handshakes of a client that wants one after each gap, and waits as long as it is told."""
    now, made = NOW, list[datetime]()
    for gap in gaps:
        now += timedelta(seconds=gap)
        while (seconds := wait_seconds(recent(made, now), now)) > 0:
            now += timedelta(seconds=seconds)
        made.append(now)
    return made


@given(GAPS)
def test_no_minute_has_more_than_ten_handshakes_whatever_the_schedule(gaps: list[float]) -> None:
    made = budgeted(gaps)
    assert len(made) == len(gaps)
    for at in made:
        assert len([other for other in made if at <= other < at + WINDOW]) <= LIMIT


@given(GAPS)
def test_nobody_waits_while_there_is_budget_nor_longer_than_a_minute(gaps: list[float]) -> None:
    made = budgeted(gaps)
    now = made[-1] if made else NOW
    counted = recent(made, now)
    seconds = wait_seconds(counted, now)
    assert (seconds == 0) is (len(counted) < LIMIT)
    assert 0 <= seconds <= WINDOW.total_seconds()


@given(GAPS, st.floats(0, 60))
def test_lingering_spares_handshakes_only_when_they_get_scarce(
    gaps: list[float], later: float
) -> None:
    made = budgeted(gaps)
    now = (made[-1] if made else NOW) + timedelta(seconds=later)
    counted = recent(made, now)
    seconds = linger_seconds(counted, now)
    left = LIMIT - len(counted)
    if left >= 5:
        assert seconds == 0
    elif left > 0:
        assert 0 < seconds <= 5  # it is promised to be closed within 5 s
    else:
        assert 0 < seconds <= WINDOW.total_seconds()
        assert seconds >= wait_seconds(counted, now)


def test_more_handshakes_than_the_limit_are_lived_with() -> None:
    times = [NOW - timedelta(seconds=30 - n) for n in range(15)]  # two processes, before the limit
    freed_at = times[-LIMIT] + WINDOW
    assert wait_seconds(times, NOW) == (freed_at - NOW).total_seconds()
