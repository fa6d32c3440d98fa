"""One clock tells the date, the other how long something took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from forwarder.worker.clock import monotonic, utc_now


async def test_the_clock_is_in_utc_and_the_other_only_goes_forward() -> None:
    assert utc_now().tzinfo is UTC
    assert abs(utc_now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert monotonic() <= monotonic()
