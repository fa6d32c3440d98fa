"""The HTTP and WebSocket side: what POS pages and the operator talk to."""

from __future__ import annotations
