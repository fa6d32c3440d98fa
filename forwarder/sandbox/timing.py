"""The waits of the sandbox, in seconds, with the values Blink uses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Every wait that a test may want shorter; all of them pass on asyncio's clock."""

    first_price: float = 0.01  # Blink publishes a price this long after a subscription starts
    price_period: float = 30.0
    init_timeout: float = 3.0  # graphql-ws closes with 4408 without connection_init by then
    ping_period: float = 12.0  # websocket PING; without PONG by the next one the socket is dropped
    lock_attempts: int = 10
    lock_pause: float = 0.6
    lock_jitter: float = 0.2
    # Svix tries again after so long, until it is answered 2xx; then it gives up.
    callback_pauses: tuple[float, ...] = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
    hang: float = 600.0  # how long an answer that never comes keeps its connection
