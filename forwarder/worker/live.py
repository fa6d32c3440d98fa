"""What the running process alone knows of how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.worker.credentials import Standing
from forwarder.worker.watcher import Watch


@dataclass(frozen=True, slots=True)
class Live:
    """The watch on Blink, the key for POS pages, and what is left of Blink's two limits."""

    watch: Watch
    credentials: Standing
    handshakes_left: int
    creations_left: int
