"""How much Blink allows: invoices created, websockets opened, sats spent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from forwarder.sandbox import errors, prices
from forwarder.sandbox.accounts import Account, ApiKey


@dataclass(slots=True)
class _Window:
    opened: datetime
    points: int = 0
    blocked_until: datetime | None = None


@dataclass(slots=True)
class RateLimit:
    """Fixed windows of points per key; whoever exceeds one is blocked for a while."""

    points: int = 60
    period: timedelta = timedelta(seconds=60)
    block: timedelta = timedelta(seconds=300)
    _windows: dict[str, _Window] = field(default_factory=dict)

    def allows(self, key: str, now: datetime) -> bool:
        """Spend a point; False while the key is blocked, or when this point is one too many."""
        window = self._windows.get(key)
        if window and window.blocked_until and now < window.blocked_until:
            return False
        if not window or window.blocked_until or now >= window.opened + self.period:
            window = self._windows[key] = _Window(now)
        window.points += 1
        if window.points > self.points:
            window.blocked_until = now + self.block
        return window.points <= self.points


@dataclass(slots=True)
class Handshakes:
    """Websocket handshakes: always counted, and refused over `per_minute` if that is set."""

    times: list[datetime] = field(default_factory=list)
    per_minute: int | None = None

    def admit(self, now: datetime) -> bool:
        recent = sum(1 for at in self.times if now - at < timedelta(minutes=1))
        self.times.append(now)
        return self.per_minute is None or recent < self.per_minute


@dataclass(slots=True)
class Spending:
    """What was sent in the last day, by accounts and by API keys that have a limit."""

    day: timedelta = timedelta(days=1)
    _sent: dict[str, list[tuple[datetime, int]]] = field(default_factory=lambda: defaultdict(list))

    def check(self, account: Account, key: ApiKey | None, sats: int, now: datetime) -> None:
        """Raise the refusal of whichever limit these sats would exceed."""
        limit = account.spending_limit
        if limit is not None and prices.cents_for(self._today(account.id, now) + sats) > limit:
            raise errors.spending_limit(limit)
        allowance = key.daily_limit if key else None
        if key and allowance is not None and self._today(key.value, now) + sats > allowance:
            raise errors.key_spending_limit()

    def record(self, account: Account, key: ApiKey | None, sats: int, now: datetime) -> None:
        for name in (account.id, *([key.value] if key else ())):
            self._sent[name].append((now, sats))

    def _today(self, name: str, now: datetime) -> int:
        recent = [(at, sats) for at, sats in self._sent[name] if now - at < self.day]
        self._sent[name] = recent
        return sum(sats for _, sats in recent)
