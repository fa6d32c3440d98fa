"""Randomness: every id, secret and jitter of the sandbox comes from one seeded source."""

from __future__ import annotations

import string
from datetime import datetime
from random import Random
from uuid import UUID

ALPHANUMERICS = string.ascii_letters + string.digits
LEDGER_PROCESSES = 3  # processes of Blink that write to the ledger, each with ObjectIds of its own


class Entropy:
    """A replayable source of ids and secrets: the same seed gives the same run."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._processes = [rng.randbytes(5) for _ in range(LEDGER_PROCESSES)]
        self._counter = rng.randrange(1 << 20)

    def uuid(self) -> str:
        return str(UUID(bytes=self.rng.randbytes(16), version=4))

    def secret(self) -> bytes:
        return self.rng.randbytes(32)

    def token(self, length: int) -> str:
        return "".join(self.rng.choices(ALPHANUMERICS, k=length))

    def object_id(self, at: datetime) -> str:
        """A Mongo ObjectId.

        It sorts by second only: the ids of several processes interleave inside one second, so their
        order is not the order of commit.
        """
        self._counter = (self._counter + 1) % (1 << 24)
        seconds = int(at.timestamp()).to_bytes(4, "big")
        process = self.rng.choice(self._processes)
        return (seconds + process + self._counter.to_bytes(3, "big")).hex()

    def jitter(self, spread: float) -> float:
        return self.rng.uniform(-spread, spread)

    def chance(self, probability: float) -> bool:
        return probability >= 1 or self.rng.random() < probability
