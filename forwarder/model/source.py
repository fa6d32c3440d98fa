"""Where customers pay: each source is a wallet that takes their money and pays it on."""

from __future__ import annotations

from enum import StrEnum


class Source(StrEnum):
    """Whose invoice a customer pays. What a source has received, it alone pays on."""

    BLINK = "blink"
    PHOENIXD = "phoenixd"
