"""How much one caller may ask for in a minute.

| who | what | a minute |
|---|---|---|
| an address | calls of any kind | 12 000 |
| an address | looks at how the process is, beside these | 12 000 |
| an address | wrong tokens; after them no token is looked at | 1 000 |
| a merchant, the operator, or a page | calls | 6 000 |
| a merchant | the key for POS pages | 20 |
| a websocket | messages | 600 |

A festival of a hundred tills behind one address and one token, each asking once a second, stays
below all of them.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from forwarder.web import proxies
from forwarder.web.errors import ApiError
from forwarder.web.keys import QUOTAS

CALLS: Final = RateLimitItemPerMinute(12_000, namespace="calls of an address")
PROBES: Final = RateLimitItemPerMinute(12_000, namespace="probes of an address")
WRONG_TOKENS: Final = RateLimitItemPerMinute(1_000, namespace="wrong tokens of an address")
CALLS_OF_TOKEN: Final = RateLimitItemPerMinute(6_000, namespace="calls of a token")
HANDOUTS: Final = RateLimitItemPerMinute(20, namespace="hand-outs to a merchant")
MESSAGES: Final = RateLimitItemPerMinute(600, namespace="messages of a websocket")

# Whoever watches over the process must not be shut out by whoever floods it from the same address.
_PROBED: Final = frozenset({"/health", "/livez", "/readyz"})

Monotonic = Callable[[], float]


class Quotas:
    """Counts in memory, over a window that moves, and forgets what is older than it."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._windows = Windows(monotonic)
        self._limiter = MovingWindowRateLimiter(self._windows)

    async def spend(self, quota: RateLimitItem, who: str) -> None:
        """Count one more. Raises `ApiError` if that is too many."""
        if not await self._limiter.hit(quota, who):
            raise await self._refusal(quota, who)

    async def require_left(self, quota: RateLimitItem, who: str) -> None:
        """Raise `ApiError` if nothing is left, and count nothing."""
        if not await self._limiter.test(quota, who):
            raise await self._refusal(quota, who)

    async def _refusal(self, quota: RateLimitItem, who: str) -> ApiError:
        window = await self._limiter.get_window_stats(quota, who)
        seconds = max(1, math.ceil(window.reset_time - self._monotonic()))
        message = f"too many {quota.namespace}: there are {quota.amount} a minute; ask again later"
        return ApiError(429, "rate_limited", message, {"Retry-After": str(seconds)})


class Windows(MemoryStorage):
    """What was counted lately, for each caller.

    The library's own drops what is old in a thread for each caller, so that a call would wait for
    all that threads are busy with. And it goes by the wall clock, which may be set.
    """

    def __init__(self, monotonic: Monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()  # the longest silent one first

    @property
    def callers(self) -> int:
        """How many callers are remembered."""
        return len(self._hits)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` hits, if there is room for all of them."""
        now = self._monotonic()
        self._forget(now - expiry)
        hits = self._recent(key, now - expiry)
        if len(hits) + amount > limit:
            return False
        hits.extend([now] * amount)
        self._hits[key] = hits
        self._hits.move_to_end(key)
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest hit of the window was, and how many there are."""
        now = self._monotonic()
        hits = self._recent(key, now - expiry)
        return (hits[0] if hits else now), len(hits)

    def _recent(self, key: str, since: float) -> deque[float]:
        hits = self._hits.get(key, deque())
        while hits and hits[0] <= since:
            hits.popleft()
        return hits

    def _forget(self, since: float) -> None:
        """Drop callers who have long been silent. All our windows are a minute long."""
        while self._hits and (not (first := next(iter(self._hits.values()))) or first[-1] <= since):
            self._hits.popitem(last=False)


@web.middleware
async def count_calls(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count every call by its address, before anything else is done for it."""
    quota = PROBES if request.path in _PROBED else CALLS
    await request.app[QUOTAS].spend(quota, proxies.caller(request))
    return await handler(request)
